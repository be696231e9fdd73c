"""The agent as a program: looks at real services, and tells a controller over its real API."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from common.wire.health import CheckKind
from services.health_agent.main import main
from tests.health_agent.conftest import StartClamd, Watched
from tests.setup.clamd import Clamd
from tests.setup.dated import daily_cud
from tests.world import DEMO

pytestmark = pytest.mark.programs

StartController = Callable[[str], Watched]


def with_probes(*probes: str, more: str = "") -> str:
    """Return the demo's policy with a pool of decoys whose services are looked at."""
    return (
        DEMO
        + f"""
  traps:
    kind: decoy
    health: {{tcp: [{", ".join(probes)}]{more}}}
    edge: [192.0.3.1]
    members: {{trap1: {{at: s1:28, mac: 02:ee:00:00:00:91, addresses: [192.0.3.21]}}}}
"""
    )


@contextmanager
def echo() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A service in a process of its own that greets whoever comes."""
    program = (
        "import socket\n"
        "listener = socket.create_server(('127.0.0.1', 0))\n"
        "print(listener.getsockname()[1], flush=True)\n"
        "while True:\n"
        "    connection, _ = listener.accept()\n"
        "    connection.sendall(b'SSH-2.0-trap\\r\\n')\n"
        "    connection.close()\n"
    )
    with subprocess.Popen(["python3", "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def test_a_service_that_answers_is_reported_well_and_one_that_is_killed_is_not(
    watched: StartController,
) -> None:
    with echo() as (service, port):
        controller = watched(with_probes(f"{{port: {port}, banner: SSH-2.0-}}"))
        controller.start_agent("traps.trap1")
        controller.wait_until_well("trap1")
        service.send_signal(signal.SIGKILL)
        took = controller.wait_until_ill("trap1")
        assert "Connect call failed" in controller.health("trap1").detail
        assert took < 5, "it is about 0.6 s on a machine that has time"


def test_a_service_that_hangs_is_down_after_one_time_out_and_not_after_two(watched: StartController) -> None:
    with echo() as (service, port):
        policy = with_probes(f"{{port: {port}, banner: SSH-2.0-}}", more=", timeout: 3s, silence: 20s")
        controller = watched(policy)
        controller.start_agent("traps.trap1")
        controller.wait_until_well("trap1")
        service.send_signal(signal.SIGSTOP)
        took = controller.wait_until_ill("trap1")
        service.send_signal(signal.SIGCONT)
        assert 2.5 < took < 5.9, "3.3 s to 3.6 s on a machine that has time"
        controller.wait_until_well("trap1")


def test_an_edit_of_the_policy_is_taken_up_without_a_restart(watched: StartController) -> None:
    with echo() as (_, port):
        controller = watched(with_probes(f"{{port: {port}, banner: SSH-2.0-}}"))
        controller.start_agent("traps.trap1")
        controller.wait_until_well("trap1")
        controller.apply(with_probes(f"{{port: {port}, banner: HTTP/}}"))
        controller.wait_until_ill("trap1")
        assert "instead of 'HTTP/'" in controller.health("trap1").detail
        controller.apply(with_probes(f"{{port: {port}}}"))
        controller.wait_until_well("trap1")


def test_settings_of_a_newer_format_are_named_and_the_last_good_ones_kept(watched: StartController) -> None:
    with echo() as (_, port):
        controller = watched(with_probes(f"{{port: {port}, banner: SSH-2.0-}}"))
        agent = controller.start_agent("traps.trap1")
        controller.wait_until_well("trap1")
        reports = controller.answer_with({"agent": {"format": 2, "checks": []}})
        assert agent.stdout
        assert any("format: is 2, this program reads 1" in line for line in agent.stdout)
        before = len(reports)
        while len(reports) < before + 2:
            time.sleep(0.01)
        assert reports[-1] == {"format": 1, "good": True, "detail": "", "stale": "", "failed": []}


def test_keys_of_a_newer_controller_are_ignored_and_named(watched: StartController) -> None:
    with echo() as (_, port):
        controller = watched(with_probes(f"{{port: {port}, banner: SSH-2.0-}}"))
        agent = controller.start_agent("traps.trap1")
        controller.wait_until_well("trap1")
        checks = [{"kind": "tcp", "port": port, "jitter_s": 0.1}]
        controller.answer_with({"agent": {"checks": checks}})
        assert agent.stdout
        assert any('"unknown_keys": ["checks[0].jitter_s"]' in line for line in agent.stdout)


def of_scanner(scanner: Clamd) -> str:
    """Return the demo's policy with scanners that are asked at a port of this machine, and take no mail."""
    policy = DEMO.replace("kind: scanner\n", f"kind: scanner\n    port: {scanner.port}\n")
    return policy.replace("mode: direct\n", "mode: proxy\n      proxies: proxies\n")


def test_a_scanner_that_dies_is_reported_ill(watched: StartController, start_clamd: StartClamd) -> None:
    scanner = start_clamd()
    controller = watched(of_scanner(scanner))
    controller.start_agent("scanners.scanner1")
    controller.wait_until_well("scanner1")
    scanner.stop()
    controller.wait_until_ill("scanner1")
    assert f"clamd:127.0.0.1:{scanner.port}: " in controller.health("scanner1").detail
    assert controller.health("scanner1").failed == (CheckKind.CLAMD,)


def test_a_scanner_that_finds_nothing_is_never_reported_well(
    watched: StartController, start_clamd: StartClamd
) -> None:
    scanner = start_clamd(has_canary=False, other_ndb=b"Other:0:*:414243444546\n")
    controller = watched(of_scanner(scanner))
    controller.start_agent("scanners.scanner1")
    controller.wait_until_ill("scanner1")
    assert "does not find the canary" in controller.health("scanner1").detail


def test_a_scanner_with_old_signatures_is_reported_stale_and_well(
    watched: StartController, start_clamd: StartClamd
) -> None:
    scanner = start_clamd(daily_cud=daily_cud(time.time() - 30 * 86_400))
    controller = watched(of_scanner(scanner))
    controller.start_agent("scanners.scanner1")
    controller.wait_until_well("scanner1")
    assert "signatures are 30 days old" in controller.health("scanner1").stale
    port = f"port: {scanner.port}\n"
    patient = of_scanner(scanner).replace(
        f"{port}    health: agent", f"{port}    health: {{signatures_max_age: 60d}}"
    )
    controller.apply(patient)
    controller.wait("scanner1", lambda health: not health.stale)


def test_an_agent_whose_controller_is_not_there_waits_for_it(watched: StartController) -> None:
    with echo() as (_, port):
        first = watched(with_probes(f"{{port: {port}}}"))
        agent = first.start_agent("traps.nobody")
        assert agent.stdout
        assert "HealthAgentStarted" in agent.stdout.readline()
        assert "no pool has a member traps.nobody" in agent.stdout.readline()
        assert agent.poll() is None


def test_an_agent_ends_when_it_is_told_to(watched: StartController) -> None:
    with echo() as (_, port):
        controller = watched(with_probes(f"{{port: {port}}}"))
        agent = controller.start_agent("traps.trap1")
        controller.wait_until_well("trap1")
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(10) == 0


def test_a_bad_address_of_the_api_is_refused_with_a_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--api", "http://127.0.0.1", "--member", "p.m"])
    assert "remedy: write unix:/path" in capsys.readouterr().err
