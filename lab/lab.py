"""One lab: brings everything up, keeps the record, takes everything down."""

import fcntl
import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from common.config.errors import ConfigErrors
from controller.pipeline.tables import Table
from controller.policy.model import Policy
from controller.policy.parse import parse_policy
from lab import namespaces, network, processes, state, switches, topology_check
from lab.component import Component, Scene
from lab.errors import LabError, NotUpError, UnhealthyError
from lab.network import Network, Wanted
from lab.paths import REPOSITORY, LabPaths
from lab.processes import OWNER_VARIABLE, Process
from lab.services import (
    agents,
    antivirus,
    controllers,
    decoys,
    gateways,
    mailservers,
    paths,
    responders,
    scanners,
    servers,
)
from lab.startup import Watch, await_all, complaint, find_death
from lab.state import Record, Stage

_CONTROLLER = "127.0.0.1:6653"
_UP_TIMEOUT_S = 180.0  # ten times what a machine needs that does nothing else
_LOCK_PATIENCE_S = 1.0
_LONGEST_ROOT_BYTES = 60  # sockets are made below it, whose paths hold 107 at most (unix(7))
_ELSEWHERE = "remedy: set POSTERN_LAB_DIR to another directory, or unset it"
_OVS_START = REPOSITORY / "deploy" / "setup" / "ovs-start"


@dataclass(frozen=True, slots=True)
class PartStatus:
    part: Component
    process: Process | None
    problem: str  # empty: healthy


Tell = Callable[[str], None]


class Lab:
    """Everything a person or a test does with a lab. All methods raise `LabError`."""

    def __init__(self, places: LabPaths | None = None, is_attended: bool = False) -> None:
        """An attended lab belongs to this process: if it dies, the next `up` removes the lab."""
        self.places = places or LabPaths.from_environment()
        self._is_attended = is_attended

    def up(self, topology: str, policy_file: Path, tell: Tell = lambda _: None) -> None:
        """Bring a lab up; return when every part is healthy. After a failure or Ctrl-C, remove everything."""
        network.topology_file(topology)
        policy = _read_policy(policy_file)
        _need_root()
        _need_usable_place(self.places)
        with _locked(self.places):
            self._make_room(tuple(switch.name for switch in policy.switches), tell)
            owner = secrets.token_hex(8)
            begun = Record(owner, topology, str(policy_file.absolute()), _CONTROLLER)
            self._save(
                replace(begun, attendant=processes.identify(os.getpid()) if self._is_attended else None)
            )
            try:
                self._bring_up(policy, tell)
            except BaseException as error:
                with _undisturbed():
                    self._dispose_of_logs(are_kept=isinstance(error, Exception))
                    _take_down(self.places)
                raise

    def down(self, *, keeps_logs: bool = False) -> bool:
        """Take a lab down, in any state. Return whether there was one."""
        _need_root()
        with _locked(self.places):
            there_was = self.places.root.exists()
            with _undisturbed():
                self._dispose_of_logs(keeps_logs)
                _take_down(self.places)
                network.remove_stale_bridges()
            return there_was

    def _dispose_of_logs(self, are_kept: bool) -> None:
        """Keep the logs of the lab after it is down, or remove those of an earlier failed lab."""
        shutil.rmtree(self.places.kept_logs, ignore_errors=True)
        for pattern in ("log/*.log", "home/*/*.log", "home/*/journal.jsonl") if are_kept else ():
            for file in self.places.root.glob(pattern):
                _copy(file, self.places.kept_logs / file.relative_to(self.places.root))

    def leave_up(self) -> None:
        """Keep a lab up when this process ends."""
        self._save(replace(self._record(), attendant=None))

    def status(self) -> list[PartStatus]:
        """Check every part."""
        known = self._record()
        network_problem = "" if known.network and known.network.is_alive else "its owner process has died"
        seat = Component("network", (), self.places.log("network"), check=lambda: network_problem)
        found = [PartStatus(seat, known.network, network_problem)]
        for part in self.parts():
            process = known.processes.get(part.name)
            problem = find_death(part, process) or part.check()
            found.append(PartStatus(part, process if process and process.is_alive else None, problem))
        return found

    def refuse_broken(self) -> None:
        """Raise `LabError` if a program has died or keeps crashing. It sends no request, so it is fast."""
        known = self._record()
        for part in _programs(self.scene()):
            if death := find_death(part, known.processes.get(part.name)):
                raise UnhealthyError(complaint(part, death))

    def scene(self) -> Scene:
        """Return the lab's parts. Raise `NotUpError` if no lab is up."""
        known = self._record()
        file = Path(known.policy)
        return Scene(self.places, network.read(self.places), _read_policy(file), file, known.controller)

    def parts(self) -> list[Component]:
        return [*_programs(self.scene()), *paths.build_parts(self.scene())]

    def command_in(self, host: str, command: list[str]) -> list[str]:
        """Return the command that runs `command` in a host of the lab."""
        self._record()
        network.read(self.places).host(host)
        return namespaces.entering(self.places.pin(host), command)

    def stop(self, name: str, patience_s: float = 4.0) -> None:
        """Stop one program of the lab, to see how the others continue. With no patience it is killed."""
        self._program(name)
        process = self._record().processes.get(name)
        processes.end([process] if process else [], patience_s)
        self._save(self._record().with_process(name, None))

    def process(self, name: str) -> Process:
        """Return the process of a program, for a test that does something to it."""
        self._program(name)
        if (process := self._record().processes.get(name)) is None:
            raise LabError(f"{name} is not running; remedy: postern lab start {name}")
        return process

    def start(self, name: str) -> None:
        """Start a program that was stopped, and return when it is healthy."""
        part = self._program(name)
        process = self._record().processes.get(name)
        if process and process.is_alive:
            raise LabError(f"{name} is already running, as process {process.pid}")
        await_all([part], self._watch(lambda _: None))

    def _program(self, name: str) -> Component:
        programs = {part.name: part for part in _programs(self.scene())}
        if name not in programs:
            raise LabError(f"the lab has no program {name!r}; programs: {' '.join(sorted(programs))}")
        return programs[name]

    def _make_room(self, switch_names: tuple[str, ...], tell: Tell) -> None:
        _need_open_vswitch()
        if last := state.load(self.places.record):
            if last.is_in_use:
                raise LabError(f"a lab is already up ({last.topology}); remedy: postern lab down")
            tell("removing what an earlier lab left behind")
        if self.places.root.exists():
            _take_down(self.places)
        self._dispose_of_logs(are_kept=False)
        _clear_orphans(self.places, tell)
        network.remove_stale_bridges()
        network.check_room(switch_names)
        _need_free_port(_CONTROLLER)

    def _bring_up(self, policy: Policy, tell: Tell) -> None:
        begun = time.monotonic()
        watch = self._watch(lambda part: tell(f"  {part.name:<34} healthy {time.monotonic() - begun:5.1f} s"))
        known = self._record()
        controller = controllers.build_part(self.places, Path(known.policy), known.controller)
        # The controller takes a moment to compile; the network is built meanwhile.
        brain = watch.start(controller)
        standing = self._build_network(known, policy)
        tell(f"  {'network':<34} up      {time.monotonic() - begun:5.1f} s")
        scene = Scene(self.places, standing, policy, Path(known.policy), known.controller)
        start = replace(
            watch, start=lambda part: brain if part.name == controller.name else watch.start(part)
        )
        await_all(paths.build_parts(scene), start, beside=await_all(_programs(scene), start))
        self._save(replace(self._record(), stage=Stage.UP))
        tell(f"everything is healthy after {time.monotonic() - begun:.1f} s")

    def _build_network(self, known: Record, policy: Policy) -> Network:
        owner = network.start_owner(self.places, Wanted(known.topology, known.owner, known.controller))
        self._save(replace(self._record(), network=owner))
        standing = network.await_network(self.places, owner)
        if complaints := topology_check.disagreements(policy, standing):
            raise LabError("\n".join(["policy and topology differ:", *complaints]))
        for switch in standing.switches:
            switches.name_tables(switch.name, {table.value: table.label for table in Table})
        return standing

    def _watch(self, tell: Callable[[Component], None]) -> Watch:
        return Watch(time.monotonic() + _UP_TIMEOUT_S, self._start, tell)

    def _start(self, part: Component) -> Process:
        try:
            part.prepare()
            environment = {**part.environment, OWNER_VARIABLE: self._record().owner}
            process = processes.start(part.command, self.places.log(part.name), environment, REPOSITORY)
        except (OSError, subprocess.SubprocessError) as error:
            raise LabError(f"{part.name} cannot be started: {error}{_last_words(error)}") from error
        self._save(self._record().with_process(part.name, process))
        return process

    def _record(self) -> Record:
        known = state.load(self.places.record)
        if known is None:
            raise NotUpError("no lab is up; remedy: postern lab up demo")
        return known

    def _save(self, known: Record) -> None:
        state.save(known, self.places.record)


def _last_words(error: Exception) -> str:
    """Return the output of a program that failed or took too long, for the end of a message."""
    said = getattr(error, "stderr", None) or getattr(error, "stdout", None) or b""
    text = said if isinstance(said, str) else said.decode(errors="replace")
    return f"\n{text.strip()}" if text.strip() else ""


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Delay Ctrl-C until the clean-up is done."""
    held = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _take_down(places: LabPaths) -> None:
    known = state.load(places.record)
    if known:
        processes.end(known.processes.values())
    network.take_down(places, known.owner if known else "", known.network if known else None)
    shutil.rmtree(places.root, ignore_errors=True)


def _copy(file: Path, to: Path) -> None:
    with suppress(OSError):  # a full disk must not hide what went wrong
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, to)


def _clear_orphans(own: LabPaths, tell: Tell) -> None:
    """Take down labs in other directories whose program was killed."""
    for directory in sorted({bridge.directory for bridge in switches.bridges() if bridge.directory}):
        places = LabPaths(Path(directory))
        if places == own or not places.root.exists():
            continue
        with suppress(LabError), _locked(places):
            known = state.load(places.record)
            if known and not known.is_in_use:
                tell(f"removing the lab in {directory}, whose program was killed")
                _take_down(places)


@contextmanager
def _locked(places: LabPaths) -> Iterator[None]:
    """Allow one command at a time. Raise `LabError` while another one changes this lab."""
    try:
        places.lock.parent.mkdir(parents=True, exist_ok=True)
        file = places.lock.open("w", encoding="utf-8")
    except PermissionError as error:
        raise LabError(f"the lab needs root ({error}); remedy: sudo postern lab ...") from error
    except OSError as error:
        raise LabError(f"the lab cannot use {places.root}: {error}; {_ELSEWHERE}") from error
    with file:
        _take(file)
        yield


def _take(lock: IO[str]) -> None:
    """Lock a file. A child of a command that was just killed may hold the lock a moment longer."""
    deadline = time.monotonic() + _LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise LabError(
                    "another command is bringing this lab up or down; remedy: wait until it has finished"
                ) from error
            time.sleep(0.05)
        else:
            return


def _programs(scene: Scene) -> list[Component]:
    return [
        controllers.build_part(scene.places, scene.policy_file, scene.controller),
        *mailservers.build_parts(scene),
        *servers.build_parts(scene),
        *scanners.build_parts(scene),
        *gateways.build_parts(scene),
        *responders.build_parts(scene),
        *decoys.build_parts(scene),
        *agents.build_parts(scene),
        *antivirus.build_parts(scene),
    ]


def _read_policy(file: Path) -> Policy:
    try:
        return parse_policy(file.read_text(encoding="utf-8"), str(file))
    except OSError as error:
        raise LabError(f"the policy cannot be read: {error}") from error
    except (ConfigErrors, UnicodeDecodeError) as error:
        raise LabError(f"the policy has errors:\n{error}") from error


def _need_root() -> None:
    if os.geteuid() != 0:
        raise LabError("the lab creates network namespaces, which needs root; remedy: sudo postern lab ...")


def _need_usable_place(places: LabPaths) -> None:
    """The lab's sockets are there, and servers without root (Postfix, clamd, nginx) use it."""
    if len(os.fsencode(places.root)) > _LONGEST_ROOT_BYTES:
        raise LabError(f"{places.root} is longer than {_LONGEST_ROOT_BYTES} bytes; {_ELSEWHERE}")
    for directory in places.root.parents:
        if directory.exists() and not directory.stat().st_mode & stat.S_IXOTH:
            raise LabError(f"the lab's servers may not enter {directory}, only its owner may; {_ELSEWHERE}")


def _need_open_vswitch() -> None:
    try:
        switches.bridges()
    except LabError:
        if not _OVS_START.exists():
            raise
        subprocess.run([str(_OVS_START)], stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
        switches.bridges()


def _need_free_port(address: str) -> None:
    host, _, port = address.rpartition(":")
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, int(port)))
        except OSError as error:
            raise LabError(
                f"{address} is in use, but the controller must listen there ({error.strerror}); "
                f"remedy: ss -ltnp 'sport = :{port}' shows the program"
            ) from error
