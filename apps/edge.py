"""The edge as a Ryu application: `POSTERN_POLICY=policies/demo.yaml ryu-manager apps/edge.py`.

A shim: turns the framework's events into events of the runtime, and serves the API.
`postern-controller --help` lists the settings.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from ryu.base import app_manager
from ryu.controller import ofp_event
from ryu.controller.handler import CONFIG_DISPATCHER, DEAD_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from ryu.lib import hub
from ryu.ofproto import ofproto_v1_4

from apps.channel import RyuChannel
from apps.conntrack import SessionList
from apps.garbage import GarbageCollector
from apps.loop import RuntimeLoop
from apps.serving import check_switch_port, listen_for_operators, serve_api, serve_bearers
from apps.settings import settings_of_process, switch_port
from apps.switch_database import BridgeChanger, DatabaseWatch
from apps.undecoded import leave_undecoded
from common import entry
from common.config.errors import ConfigErrors
from common.environment import settle
from common.journal.journal import Journal
from common.journal.sink import FileSink
from controller.api.app import build_app, build_role_apps
from controller.api.auth import App, Gate
from controller.api.context import Outside
from controller.compiler.errors import CompileError
from controller.hosts.publish import Publisher
from controller.openflow.describe import describe
from controller.openflow.encode import flow_to_wire, to_wire
from controller.openflow.lldp import decode_probe
from controller.openflow.messages import meter_to_wire
from controller.openflow.replies import BadMessage
from controller.openflow.samples import read_sample
from controller.openflow.uses import parts_named
from controller.pipeline.tables import Table
from controller.prover.process import ProofLimits
from controller.prover.supervisor import ProverSupervisor
from controller.runtime import Asked, Clock, Encoder, Runtime, RuntimeDependencies
from controller.runtime.commands.base import Command
from controller.runtime.commands.policy import ApplyPolicy, PolicyApplied
from controller.runtime.events import (
    BridgesUnread,
    OutcomeReceived,
    PacketsSampled,
    ProbeHeard,
    ProverReported,
    RuntimeEvent,
    SwitchConnected,
    SwitchDisconnected,
    TimePassed,
)
from controller.runtime.gate import ProofPending, ProofRefused
from controller.runtime.principals import CONTROLLER, AccessRole
from controller.runtime.session_watch import SessionWatch
from controller.settings import PROGRAM
from controller.store import StoreError
from controller.store.sqlite import SqliteStore
from controller.telemetry.events import ControllerEvent

R = TypeVar("R")
_TICK_S = 0.5
_ASKS_AGAIN_S = 0.05  # whether a policy is proved
PROBE_KEY = os.urandom(32)
ENCODER = Encoder(to_wire, flow_to_wire, meter_to_wire, describe, parts_named)


class Edge(app_manager.RyuApp):
    """Passes everything to the loop of the one runtime."""

    OFP_VERSIONS = (ofproto_v1_4.OFP_VERSION,)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        with entry.guarded(PROGRAM):
            settle()
            entry.watch(PROGRAM)
            leave_undecoded()
            self._begin()

    def _begin(self) -> None:
        self._journal = Journal(FileSink(None), PROGRAM, "controller")
        self._settings = settings_of_process()
        check_switch_port(*switch_port())
        self._listener = listen_for_operators(self._settings.api)
        self._packet_ins: Counter[int] = Counter()
        self._channels: dict[int, RyuChannel] = {}
        self._samples: list[bytes] = []
        self._watched = self._settings.modified_at()
        self._reloading: object = None
        self._loop = RuntimeLoop(self._make_runtime())
        self._garbage = GarbageCollector()
        leave_undecoded()
        listed = SessionList(self._settings.switch_control, self._journal)
        self._sessions = SessionWatch(self._ask_for_sessions, listed)

    def _make_runtime(self) -> Runtime:
        """Raise `SystemExit` with what is wrong, and a remedy."""
        with _start_errors():
            store = SqliteStore(self._settings.state_dir / "postern.db")
        publisher = Publisher(self._settings.state_dir / "gateways")
        clock = Clock(time.monotonic, time.time)
        bridges = BridgeChanger(self._settings.switch_database, self._put, *switch_port())
        limits = ProofLimits(self._settings.proof_limit, self._settings.proof_memory)
        self._prover = ProverSupervisor(limits, lambda report: self._loop.put(ProverReported(report)))
        outside = ENCODER, publisher, store, self._journal, clock, bridges, self._prover
        return Runtime(RuntimeDependencies(*outside, give_way=partial(hub.sleep, 0)))

    def _start_runtime(self, runtime: Runtime) -> None:
        """Raise `SystemExit` with what is wrong, and a remedy."""
        with _start_errors():
            runtime.start(str(self._settings.policy), self._settings.read_policy())

    def start(self) -> None:
        """Called by the framework once the application is registered."""
        super().start()
        outside = Outside(time.monotonic, self._packet_ins, self._sessions.count, time.time, hub.sleep)
        api = build_app(self._loop.ask, outside)
        self.threads.append(hub.spawn(serve_api, self._listener, api))
        self.threads.append(hub.spawn(self._prover.run))
        self.threads.append(hub.spawn(self._work, api, outside, raise_error=True))

    def stop(self) -> None:
        """Called by the framework when the program ends; it waits for the threads, which have no end."""
        for thread in self.threads:
            hub.kill(thread)
        super().stop()

    def _work(self, api: App, outside: Outside) -> None:
        """Start while switches can already connect: one that finds no listener waits longer each time."""
        with entry.guarded(PROGRAM):
            self._loop.start(self._start_runtime)
            self._serve(api, outside)
        self._loop.run()

    def _serve(self, api: App, outside: Outside) -> None:
        signal.signal(signal.SIGHUP, lambda *_: hub.spawn(self._reload, "a hang-up signal"))
        sessions = partial(_repeat, self._sessions.look), partial(_repeat, self._sessions.care)
        work = (self._tick, self._watch_bridges, *sessions)
        self.threads += [hub.spawn(each) for each in work]
        if self._settings.listen:
            role_apps = build_role_apps(self._loop.ask, outside)
            gate = Gate(self._loop.ask, time.time, {AccessRole.OPERATOR: api, **role_apps})
            tell = partial(self._journal.write, ControllerEvent.API_NOT_SERVED)
            place = self._settings.listen, self._settings.state_dir / "api"
            self.threads.append(hub.spawn(serve_bearers, *place, gate, lambda why: tell(reason=why)))

    def _put(self, event: RuntimeEvent) -> None:
        self._loop.put(event)

    def _watch_bridges(self) -> None:
        if not (path := self._settings.switch_database):
            self._loop.put(BridgesUnread("POSTERN_SWITCH_DATABASE is off", is_wanted=False))
            return
        DatabaseWatch(path, self._put, *switch_port()).run()

    def _ask_as_controller(self, command: Command[R], reason: str) -> R:
        return self._loop.ask(Asked(command, CONTROLLER, reason, time.time()))

    def _ask_for_sessions(self, command: Command[R], /) -> R:
        return self._ask_as_controller(command, "the watch over sessions")

    def _tick(self) -> None:
        while True:
            hub.sleep(_TICK_S)
            self._loop.put(TimePassed())
            self._hand_over_samples()
            if self._loop.is_idle:
                self._garbage.on_idle(self._loop.heap)
            if self._settings.watch and (modified := self._settings.modified_at()) != self._watched:
                self._watched = modified
                hub.spawn(self._reload, "the file has changed")

    def _hand_over_samples(self) -> None:
        """Process first packets to unpublished addresses and ports, of which the switches send samples."""
        samples, self._samples = self._samples, []
        facts = tuple(fact for frame in samples if (fact := read_sample(frame)))
        if facts:
            self._loop.put(PacketsSampled(facts))

    def _reload(self, reason: str) -> None:
        file = str(self._settings.policy)
        try:
            self._reload_once_proved(ApplyPolicy(file, self._settings.read_policy()), reason)
        except OSError as error:
            self._journal.write(
                ControllerEvent.POLICY_REFUSED, file=file, reason=str(error), by=str(CONTROLLER)
            )
        except (ConfigErrors, CompileError, StoreError, ProofRefused):
            return  # the error is in the journal; the last good policy stays

    def _reload_once_proved(self, command: Command[PolicyApplied], reason: str) -> None:
        """Ask again until the policy is proved, or the file is reloaded once more."""
        self._reloading = command
        while self._reloading is command:
            try:
                self._ask_as_controller(command, reason)
                return
            except ProofPending:
                hub.sleep(_ASKS_AGAIN_S)

    @set_ev_cls(ofp_event.EventOFPStateChange, [MAIN_DISPATCHER, DEAD_DISPATCHER])
    def _on_state(self, event: Any) -> None:
        datapath = event.datapath
        if event.state == MAIN_DISPATCHER:
            channel = self._channels[id(datapath)] = RyuChannel(datapath, PROBE_KEY)
            self._loop.put(SwitchConnected(datapath.id, channel))
        elif (gone := self._channels.pop(id(datapath), None)) and (dpid := datapath.id) is not None:
            self._loop.put(SwitchDisconnected(dpid, gone))
            self._sessions.on_disconnected(dpid)

    @set_ev_cls(
        [
            ofp_event.EventOFPBarrierReply,
            ofp_event.EventOFPBundleCtrlMsg,
            ofp_event.EventOFPErrorMsg,
            ofp_event.EventOFPFlowMonitorReply,
            ofp_event.EventOFPFlowStatsReply,
            ofp_event.EventOFPGetConfigReply,
            ofp_event.EventOFPGroupDescStatsReply,
            ofp_event.EventOFPMeterConfigStatsReply,
            ofp_event.EventOFPPortDescStatsReply,
            ofp_event.EventOFPPortStatus,
            ofp_event.EventOFPRequestForward,
            ofp_event.EventOFPTableDescStatsReply,
        ],
        [CONFIG_DISPATCHER, MAIN_DISPATCHER],
    )
    def _on_message(self, event: Any) -> None:
        datapath = event.msg.datapath
        channel = self._channels.get(id(datapath))
        if channel is None:
            return
        dpid, buffer = datapath.id, bytes(event.msg.buf)
        try:
            outcome = channel.receive(buffer)
        except BadMessage as error:
            self._journal.write(ControllerEvent.BAD_MESSAGE_RECEIVED, dpid=dpid, reason=str(error))
            return
        if outcome is not None:
            self._loop.put(OutcomeReceived(dpid, channel, outcome))

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def _on_packet_in(self, event: Any) -> None:
        datapath = event.msg.datapath
        dpid, port, channel = datapath.id, event.msg.match.get("in_port", 0), self._channels.get(id(datapath))
        origin = decode_probe(bytes(event.msg.data), PROBE_KEY)
        if channel is None:
            return
        if event.msg.table_id == Table.SAMPLE:
            self._samples.append(bytes(event.msg.data))
            return
        if origin is None:
            self._packet_ins[dpid] += 1
            return
        self._loop.put(ProbeHeard(dpid, channel, port, origin))


@contextmanager
def _start_errors() -> Iterator[None]:
    try:
        yield
    except (OSError, ConfigErrors, CompileError, StoreError) as error:
        raise SystemExit(f"{PROGRAM}: cannot start: {error}") from error


def _repeat(step: Callable[[], float]) -> None:
    """Call repeatedly; each call returns the seconds until the next one is due."""
    pause_s = 0.0
    while True:
        hub.sleep(pause_s)
        pause_s = step()
