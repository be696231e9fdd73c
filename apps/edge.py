"""The edge as a Ryu application: `POSTERN_POLICY=policies/demo.yaml ryu-manager apps/edge.py`.

A shim: turns the framework's events into calls of the runtime, all of them from
one green thread, and serves the API. `postern-controller --help` lists the settings.
"""

import os
import signal
import time
from collections import Counter
from functools import partial
from typing import Any

from ryu.base import app_manager
from ryu.controller import ofp_event
from ryu.controller.handler import CONFIG_DISPATCHER, DEAD_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from ryu.lib import hub
from ryu.ofproto import ofproto_v1_4

from apps.serving import check_switch_port, listen_for_operators, serve_api, serve_bearers
from apps.sessions import SessionWatch
from apps.settings import EdgeSettings, read_settings, switch_port
from common import entry
from common.environment import settle
from common.journal.journal import Journal
from common.journal.sink import FileSink
from controller.api.app import build_app, build_role_apps
from controller.api.auth import Gate
from controller.api.context import Outside
from controller.compiler.errors import CompileError
from controller.errors import PolicyErrors
from controller.hosts.publish import Publisher
from controller.openflow.conversation import Conversation
from controller.openflow.encode import flow_to_wire, to_wire
from controller.openflow.lldp import decode_probe, encode_probe
from controller.openflow.messages import meter_to_wire, packet_out
from controller.openflow.orphans import forget, wake_up_frame
from controller.openflow.replies import BadMessage
from controller.openflow.samples import read_sample
from controller.pipeline.tables import Table
from controller.policy.model import PortRef
from controller.pools.conntrack import Connection
from controller.runtime import Dependencies, Encoder, Runtime
from controller.runtime.tokens import Role
from controller.store import StoreError
from controller.store.sqlite import SqliteStore
from controller.sync.outcomes import Outcome
from controller.sync.plan import Plan
from controller.telemetry.events import ControllerEvent as Event

_PROGRAM = "postern-controller"
_CANNOT = "postern: the controller cannot start: "
_TICK_S = 0.5
_SEND_CHUNK_BYTES = 1 << 20
PROBE_KEY = os.urandom(32)
ENCODER = Encoder(to_wire, flow_to_wire, meter_to_wire)


class RyuChannel:
    """The way to one switch, over the framework's connection."""

    def __init__(self, datapath: Any) -> None:
        self._datapath = datapath
        self._conversation = Conversation()

    def read(self, attempt: int) -> None:
        self._send(self._conversation.ask_state(attempt))

    def send(self, attempt: int, plan: Plan) -> None:
        self._send(self._conversation.send_plan(attempt, plan))

    def probe(self, origin: PortRef) -> None:
        self._send([packet_out(0, origin.port, encode_probe(origin, PROBE_KEY))])

    def forget(self, connections: tuple[Connection, ...]) -> None:
        self._send([forget(0, connection) for connection in connections])

    def ask_hits(self, table: int, cookie: int) -> None:
        self._send(self._conversation.ask_hits(table, cookie))

    def wake_up(self, connection: Connection, port: int, own_mac: int) -> None:
        self._send([packet_out(0, port, wake_up_frame(connection, own_mac))])

    def receive(self, buffer: bytes) -> Outcome | None:
        """Take one message of the switch. Raise `BadMessage` if it is none."""
        outcome = self._conversation.receive(buffer)
        self._send(self._conversation.take_outgoing())
        return outcome

    def _send(self, messages: list[bytes]) -> None:
        """Hand messages over in large pieces: the framework queues pieces, not bytes."""
        pending = bytearray()
        for message in messages:
            pending += message
            if len(pending) >= _SEND_CHUNK_BYTES:
                self._datapath.send(bytes(pending))
                pending.clear()
        if pending:
            self._datapath.send(bytes(pending))


class Edge(app_manager.RyuApp):
    """One runtime, one queue, one loop; everything else hands work to the queue."""

    OFP_VERSIONS = (ofproto_v1_4.OFP_VERSION,)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        with entry.guarded(_PROGRAM):
            settle()
            entry.watch(_PROGRAM)
            self._begin()

    def _begin(self) -> None:
        self._journal = Journal(FileSink(None), _PROGRAM, "controller")
        self._settings = read_settings()
        check_switch_port(*switch_port())
        self._listener = listen_for_operators(self._settings.api)
        self._packet_ins: Counter[int] = Counter()
        self._channels: dict[int, RyuChannel] = {}
        self._queue = hub.Queue()
        self._samples: list[bytes] = []
        self._watched = self._settings.modified_at()
        self._runtime = self._start_runtime()
        self._sessions = SessionWatch(self._runtime, self._ask, self._settings.switch_control, self._journal)

    def _start_runtime(self) -> Runtime:
        """Raise `SystemExit` with what is wrong, and a remedy."""
        try:
            store = SqliteStore(self._settings.state_dir / "postern.db")
            publisher = Publisher(self._settings.state_dir / "gateways")
            runtime = Runtime(Dependencies(ENCODER, publisher, store, self._journal))
            policy = str(self._settings.policy), self._settings.read_policy()
            runtime.start(time.monotonic(), time.time(), *policy)
        except (OSError, PolicyErrors, CompileError, StoreError) as error:
            raise SystemExit(f"{_CANNOT}{error}") from error
        return runtime

    def start(self) -> None:
        """Called by the framework once the application is registered."""
        super().start()
        with entry.guarded(_PROGRAM):
            self._serve()

    def _serve(self) -> None:
        signal.signal(signal.SIGHUP, lambda *_: self._queue.put((self._reload, None)))
        outside = Outside(time.monotonic, self._packet_ins, self._sessions.count, time.time, hub.sleep)
        api = build_app(self._ask, outside)
        sessions = self._sessions
        watchers = (sessions.look, sessions.cut_departed, sessions.cut_decided, sessions.wake_forgotten)
        self.threads += [hub.spawn(work) for work in (self._loop, self._tick, *watchers)]
        self.threads.append(hub.spawn(serve_api, self._listener, api))
        if self._settings.listen != "off":
            gate = Gate(self._ask, {Role.OPERATOR: api, **build_role_apps(self._ask, outside)})
            tell = partial(self._journal.write, Event.API_NOT_SERVED)
            place = self._settings.listen, self._settings.state_dir / "api"
            self.threads.append(hub.spawn(serve_bearers, *place, gate, lambda why: tell(reason=why)))

    def _loop(self) -> None:
        while True:
            work, reply = self._queue.get()
            try:
                answer = (True, work(self._runtime))
            except Exception as error:
                answer = (False, error)
                if reply is None:
                    self.logger.exception("an event could not be handled")
            if reply is not None:
                reply.put(answer)

    def _ask(self, work: Any) -> Any:
        """Have the loop run `work(runtime)`; return its result or raise its error here."""
        reply = hub.Queue()
        self._queue.put((work, reply))
        is_good, answer = reply.get()
        if not is_good:
            raise answer
        return answer

    def _tick(self) -> None:
        while True:
            hub.sleep(_TICK_S)
            self._queue.put((lambda runtime: runtime.on_tick(time.monotonic()), None))
            self._hand_over_samples()
            if self._settings.watch and (modified := self._settings.modified_at()) != self._watched:
                self._watched = modified
                self._queue.put((self._reload, None))

    def _hand_over_samples(self) -> None:
        """What nobody publishes was knocked at: first packets, of which the switches send some."""
        samples, self._samples = self._samples, []
        facts = [fact for frame in samples if (fact := read_sample(frame))]
        if facts:
            now, utc = time.monotonic(), time.time()
            self._queue.put((lambda runtime: runtime.suspicion.on_samples(now, utc, facts), None))

    def _reload(self, runtime: Runtime) -> None:
        try:
            runtime.submit(time.monotonic(), str(self._settings.policy), self._settings.read_policy())
        except OSError as error:
            self._journal.write(Event.POLICY_REFUSED, file=str(self._settings.policy), reason=str(error))
        except (PolicyErrors, CompileError, StoreError):
            return  # said in the journal; the last good policy stays

    @set_ev_cls(ofp_event.EventOFPStateChange, [MAIN_DISPATCHER, DEAD_DISPATCHER])
    def _on_state(self, event: Any) -> None:
        datapath = event.datapath
        if event.state == MAIN_DISPATCHER:
            channel = self._channels[id(datapath)] = RyuChannel(datapath)
            dpid = datapath.id
            self._queue.put((lambda runtime: runtime.on_connected(time.monotonic(), dpid, channel), None))
        elif (gone := self._channels.pop(id(datapath), None)) and (dpid := datapath.id) is not None:
            self._queue.put((partial(self._sessions.lose, dpid=dpid, channel=gone), None))

    @set_ev_cls(
        [
            ofp_event.EventOFPBarrierReply,
            ofp_event.EventOFPBundleCtrlMsg,
            ofp_event.EventOFPErrorMsg,
            ofp_event.EventOFPFlowStatsReply,
            ofp_event.EventOFPGroupDescStatsReply,
            ofp_event.EventOFPMeterConfigStatsReply,
            ofp_event.EventOFPPortDescStatsReply,
            ofp_event.EventOFPPortStatus,
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
            self._journal.write(Event.BAD_MESSAGE_RECEIVED, dpid=dpid, reason=str(error))
            return
        if outcome is not None:
            self._queue.put(
                (lambda runtime: runtime.on_outcome(time.monotonic(), dpid, channel, outcome), None)
            )

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
        self._queue.put(
            (lambda runtime: runtime.on_probe(time.monotonic(), dpid, channel, port, origin), None)
        )


__all__ = ["Edge", "EdgeSettings"]
