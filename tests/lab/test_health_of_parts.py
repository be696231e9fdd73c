"""When a part of the lab counts as healthy, and when the lab stops waiting for it. No lab is needed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from controller.policy.parse import parse_policy
from lab import distribution, names, processes
from lab.component import Component
from lab.errors import LabError
from lab.paths import REPOSITORY
from lab.processes import Process
from lab.services import scanners
from lab.services.antivirus import Words
from lab.services.listening_ports import doors
from lab.services.members import deaths_in
from lab.startup import Watch, await_all, find_death
from services.personas.default import default_persona

_HERE = processes.identify(os.getpid())


def _part(name: str = "decoy1.cowrie", crashes: str = "", problem: str = "no answer") -> Component:
    return Component(name, ("true",), Path("/nonexistent"), lambda: problem, find_crashes=lambda: crashes)


def _watch(process: Process) -> Watch:
    return Watch(float("inf"), lambda _: process, lambda _: None)


def test_a_program_that_keeps_crashing_is_named_at_once_with_its_reason() -> None:
    with pytest.raises(
        LabError, match=r"decoy1\.cowrie is unhealthy: it keeps crashing: ImportError: inside"
    ):
        await_all([_part(crashes="ImportError: inside")], _watch(_HERE))


@pytest.mark.programs
def test_a_program_that_ended_is_named_at_once() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    with pytest.raises(LabError, match=r"decoy1\.cowrie is unhealthy: its program has ended"):
        await_all([_part()], _watch(Process(gone.pid, 1)))


@pytest.mark.programs
def test_a_program_that_ends_after_it_was_healthy_is_named_while_others_are_waited_for() -> None:
    with subprocess.Popen(["sleep", "60"]) as short:
        process, told = processes.identify(short.pid), list[str]()

        def tell(part: Component) -> None:
            told.append(part.name)
            short.kill()

        watch = Watch(float("inf"), lambda part: process if part.name == "builder" else _HERE, tell)
        with pytest.raises(LabError, match=r"^builder is unhealthy: its program has ended"):
            await_all([_part("builder", problem=""), _part("mail")], watch)
    assert told == ["builder"]


@pytest.mark.programs
def test_a_program_that_ended_is_named_while_paths_through_the_edge_are_tried() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    path = Component("mail to acme", (), Path("/nonexistent"), lambda: "no answer")
    with pytest.raises(LabError, match=r"^builder is unhealthy: its program has ended"):
        await_all([path], _watch(_HERE), beside=[(_part("builder"), Process(gone.pid, 1))])


def test_a_path_without_a_program_cannot_die() -> None:
    assert find_death(Component("mail to acme", (), Path("/nonexistent"), lambda: "no answer"), None) == ""


_DEATH = '{"event": "CowrieDied", "reason": "it ended unexpectedly", "last": ["No module"]}\n'


def test_two_deaths_are_bad_luck_and_three_a_crash_with_its_last_words(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    journal.write_text(_DEATH * 2, encoding="utf-8")
    assert deaths_in(journal, "CowrieDied", 2) == ""
    journal.write_text(_DEATH * 3, encoding="utf-8")
    assert deaths_in(journal, "CowrieDied", 2) == "it ended unexpectedly No module"


def test_no_journal_is_no_death(tmp_path: Path) -> None:
    assert deaths_in(tmp_path / "none", "CowrieDied", 0) == ""


def test_every_service_of_every_persona_is_asked_and_dark_space_too() -> None:
    policy = parse_policy((REPOSITORY / "policies" / "demo.yaml").read_text(encoding="utf-8"), "demo.yaml")
    found = doors(policy, REPOSITORY / "policies" / "personas" / "debian-12")
    asked = {(door.address, door.port, door.protocol) for door in found}
    assert {
        ("203.0.113.10", 22, "ssh"),
        ("203.0.113.62", 23, "telnet"),
        ("203.0.113.74", 25, "smtp"),
    } <= asked


def test_a_tenant_without_a_persona_has_the_default_ones_doors(tmp_path: Path) -> None:
    policy = parse_policy((REPOSITORY / "policies" / "demo.yaml").read_text(encoding="utf-8"), "demo.yaml")
    found = {(door.address, door.port, door.protocol) for door in doors(policy, tmp_path)}
    (host,) = default_persona("acme").hosts
    shown = {(port, str(service.protocol)) for port, service in host.services.items()}
    dark = {str(tenant.prefixes[0][-2]) for tenant in policy.tenants}
    assert found == {(address, *service) for address in dark for service in shown}


def test_what_a_program_said_before_it_was_started_again_is_no_answer(tmp_path: Path) -> None:
    log = tmp_path / "log"
    words = Words(log)
    words.begin_anew()
    assert words.said() == ""
    log.write_text("watching", encoding="utf-8")
    assert words.said() == "watching"
    words.begin_anew()
    assert words.said() == ""


def test_a_scanner_can_read_its_signatures_if_only_their_owner_can_read_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `umask 077; git clone`: clamd loads them as another user."""
    ours = tmp_path / "ours"
    ours.mkdir(mode=0o700)
    (ours / "test.ndb").write_text("signature", encoding="utf-8")
    (ours / "test.ndb").chmod(0o600)
    monkeypatch.setattr(scanners, "_SIGNATURES", ours)
    scanners._prepare(tmp_path / "home", ["127.0.0.1"], 3310)
    copied = tmp_path / "home" / "signatures"
    assert (copied / "test.ndb").read_text(encoding="utf-8") == "signature"
    assert [each.stat().st_mode & 0o055 for each in (copied, copied / "test.ndb")] == [0o055, 0o044]


def test_a_persona_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    policy = parse_policy((REPOSITORY / "policies" / "demo.yaml").read_text(encoding="utf-8"), "demo.yaml")
    (tmp_path / "acme.yaml").write_text("hosts: [", encoding="utf-8")
    with pytest.raises(LabError, match=r"acme\.yaml is not a valid persona"):
        doors(policy, tmp_path)


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ('ID=debian\nVERSION_ID="12"\n', "debian-12"),
        ('ID=debian\nVERSION_ID="13"\n', "debian-13"),
        ('ID=debian\nVERSION_ID="99"\n', "debian-13"),
        ("ID=debian\n", "debian-12"),  # testing has no number
        ('ID=fedora\nVERSION_ID="43"\n', "debian-12"),
    ],
)
def test_personas_fit_the_release(tmp_path: Path, release: str, expected: str) -> None:
    (tmp_path / "os-release").write_text(release, encoding="utf-8")
    for number in ("12", "13"):
        (tmp_path / f"debian-{number}").mkdir()
    assert distribution.fitting(tmp_path, tmp_path / "os-release") == tmp_path / expected


def test_every_host_knows_its_own_name_and_those_of_the_others(tmp_path: Path) -> None:
    names.write(tmp_path, {"sender": ["198.51.100.10", "2001:db8:bb::10"], "s1": []})
    rows = (tmp_path / "hosts").read_text(encoding="utf-8").splitlines()
    assert {"127.0.0.1 localhost", "198.51.100.10 sender", "2001:db8:bb::10 sender", "127.0.1.1 s1"} <= set(
        rows
    )


@pytest.mark.programs
def test_programs_of_the_lab_find_nothing_of_the_callers_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("PATH", "/nowhere"),
        ("LC_ALL", "tr_TR"),
        ("TMPDIR", "/nowhere"),
        ("PYTHONPATH", "/x"),
    ):
        monkeypatch.setenv(name, value)
    before = os.umask(0o077)
    try:
        log = tmp_path / "log"
        script = "import os; print(sorted(os.environ), oct(os.umask(0)), os.environ['PATH'])"
        process = processes.start([sys.executable, "-c", script], log, {"ITS_OWN": "1"}, tmp_path)
    finally:
        os.umask(before)
    while process.is_alive:
        processes.reap()
    said = log.read_text(encoding="utf-8")
    assert "'ITS_OWN'" in said
    assert "/usr/sbin" in said
    assert "0o22" in said
    assert not any(name in said for name in ("LC_ALL", "TMPDIR", "PYTHONPATH", "/nowhere"))
