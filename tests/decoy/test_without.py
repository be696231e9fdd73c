"""The decoy on a machine that lacks something: it answers as before, and its journal says what is lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.decoy.syslog import Syslog, SyslogError
from tests.decoy.conftest import Begin
from tests.decoy.running import DARK, HELLO, MX, Running
from tests.decoy.test_port_filter import FIREWALLED, WITH_FIREWALL, knock
from tests.without import without


@pytest.fixture
def begin_without(tmp_path: Path) -> Iterator[Begin]:
    started: list[Running] = []

    def start(feature: str) -> Running:
        started.append(Running(tmp_path, program=without(feature, Running.program)))
        started[-1].begin()
        return started[-1]

    yield start
    for running in started:
        running.close()


@pytest.mark.programs
@pytest.mark.parametrize(
    ("feature", "told"),
    [
        ("ipv6", ("Ipv6Missing", "decoys at tenants' IPv6 addresses")),
        ("bpf", ("PortFilterMissing", "is accepted and reset at once")),
        ("landlock", ("DecoyFailed", "cannot restrict the decoy")),
    ],
)
def test_a_decoy_answers_without_a_feature_and_notes_once_what_is_lost(
    feature: str, told: tuple[str, str], begin_without: Begin
) -> None:
    decoy = begin_without(feature)
    assert decoy.client(MX, HELLO).hear() == b"named\r\n"
    assert decoy.client(DARK, HELLO).hear() == b"dark\r\n"
    decoy.end()
    event, says = told
    (noted,) = decoy.events(event)
    assert says in f"{noted.get('lost')} {noted.get('reason')}"
    assert not decoy.events("ListenFailed")


@pytest.mark.lab  # for the right to use bpf(2)
def test_without_ipv6_closed_ports_of_ipv4_stay_closed(begin_without: Begin) -> None:
    decoy = begin_without("ipv6")
    decoy.write_persona(WITH_FIREWALL)
    decoy.wait_for("SettingsLoaded", 2)
    assert [knock(FIREWALLED, HELLO), knock(MX, 18_999), knock(MX, HELLO)] == ["silence", "refused", "open"]
    assert not decoy.events("PortFilterMissing")


def test_a_syslog_server_that_cannot_be_reached_without_ipv6_is_refused_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr("services.decoy.syslog.socket.socket", refuse)
    with pytest.raises(SyslogError, match="remedy: use --syslog with an IPv4 address"):
        Syslog("udp:[::1]:514", "decoy1")
