"""Plain freshclam, without an agent: the snippet that we print works, and rubbish is refused."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from cli.main import main
from common.apparmor import unconfined
from services.antivirus.builder import immunity
from services.antivirus.builder.publisher import Publisher
from services.antivirus.formats import OWN_FILES
from tests.antivirus.conftest import Client, Server, await_that

pytestmark = pytest.mark.programs

OWN = set(OWN_FILES)


@pytest.fixture
def configuration(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """What `postern av client-config` prints, with a directory and a port of this test."""
    assert main(["av", "client-config", "192.0.2.120", "--without-official"]) == 0
    text = capsys.readouterr().out.replace("http://192.0.2.120", server.url)
    file = tmp_path / "freshclam.conf"
    file.write_text(
        f"{text}DatabaseDirectory {tmp_path / 'pc1' / 'database'}\nDatabaseOwner root\nMaxAttempts 1\n",
        encoding="utf-8",
    )
    (tmp_path / "pc1" / "database").mkdir(parents=True)
    return file


def freshclam(configuration: Path) -> str:
    command = ["freshclam", f"--config-file={configuration}", "--stdout"]
    done = subprocess.run(unconfined(command), capture_output=True, encoding="utf-8", timeout=60, check=False)
    return done.stdout + done.stderr


def test_freshclam_alone_gets_our_signatures_and_then_only_what_is_new(
    configuration: Path, server: Server, publisher: Publisher, client: Client, sample: Path
) -> None:
    freshclam(configuration)
    assert {path.name for path in client.database.glob("postern*")} == OWN
    assert not client.finds(sample)
    for path in (server.home / "www" / "rings" / "canary" / "database").iterdir():
        os.utime(path, (time.time() - 60, time.time() - 60))  # a minute later
    assert "up-to-date" in freshclam(configuration)
    number = immunity.immunize(publisher, immunity.caught_in(str(sample), ()), "a test")
    await_that(lambda: server.generation() == number, "it is served")
    freshclam(configuration)
    assert client.finds(sample)


def test_freshclam_follows_at_once_forward_and_back(
    configuration: Path, server: Server, publisher: Publisher, client: Client, sample: Path
) -> None:
    """It asks for what is newer than its last download, in whole seconds: none of these may be missed."""
    publisher.publish("before", at_once=True)
    for is_found in (True, False):
        freshclam(configuration)
        if is_found:
            number = immunity.immunize(publisher, immunity.caught_in(str(sample), ()), "a test")
        else:
            number = publisher.rollback()
        await_that(lambda: server.generation() == number, "it is served")  # noqa: B023
        freshclam(configuration)
        assert client.finds(sample) is is_found


def test_freshclam_keeps_what_it_has_when_it_is_given_rubbish(
    configuration: Path, server: Server, publisher: Publisher, client: Client, sample: Path
) -> None:
    number = immunity.immunize(publisher, immunity.caught_in(str(sample), ()), "a test")
    await_that(lambda: server.generation() == number, "it is served")
    freshclam(configuration)
    served = server.home / "www" / "rings" / "canary" / "database"
    for name in OWN:
        (served / name).chmod(0o644)
        (served / name).write_bytes(b"\0rubbish" * 20)
    freshclam(configuration)
    assert client.finds(sample)


def test_a_server_that_has_nothing_for_us_sends_no_freshclam_to_sleep(
    configuration: Path, server: Server, client: Client
) -> None:
    """A 403 would: freshclam then waits for a day."""
    server.rings.clear()
    server.configure()
    await_that(lambda: server.get("/ring.json").status == 404, "we are nobody's client")
    await_that(lambda: "file not found" in freshclam(configuration), "it asked, and there was nothing")
    server.rings["127.0.0.1"] = "all"
    server.configure()
    await_that(lambda: freshclam(configuration) and _names(client) == OWN, "it has all, without a sleep")


def _names(client: Client) -> set[str]:
    return {path.name for path in client.database.glob("postern*")}
