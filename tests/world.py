"""A runtime with everything around it faked: switches that answer in bytes, a store, a journal."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from common.journal.events import COMMON_FIELDS
from common.journal.journal import Journal
from common.journal.sink import Sink
from controller.hosts.render import Settings
from controller.openflow.conversation import Conversation
from controller.openflow.describe import describe
from controller.openflow.encode import flow_to_wire, to_wire
from controller.openflow.messages import meter_to_wire
from controller.openflow.uses import parts_named
from controller.policy.model import Network, PortRef
from controller.pools.conntrack import Connection
from controller.prover.answer import Answer, ProofOutcome
from controller.prover.question import Question
from controller.runtime import Asked, Clock, Encoder, Runtime, RuntimeDependencies
from controller.runtime.commands.base import Command
from controller.runtime.commands.policy import ApplyPolicy, PolicyApplied
from controller.runtime.core import RuntimeCore
from controller.runtime.events import (
    BridgesUnread,
    OutcomeReceived,
    ProverReported,
    RuntimeEvent,
    SwitchConnected,
    SwitchDisconnected,
    TimePassed,
)
from controller.runtime.gate import ProofPending
from controller.runtime.principals import CONTROLLER, Principal
from controller.store import AcceptedPolicy, PoolSecret, StoreError, TokenRecord
from controller.suspicion.allow import Allowance
from controller.suspicion.decision import Decision
from controller.suspicion.scores import Offender
from controller.sync.outcomes import Outcome
from controller.sync.plan import Plan
from controller.sync.settings import SettingsReset
from tests.fake_switch import FakeSwitch
from tests.journals import Pages

POLICIES = Path(__file__).parents[1] / "policies"
DEMO = (POLICIES / "demo.yaml").read_text(encoding="utf-8")

R = TypeVar("R")
ENCODER = Encoder(to_wire, flow_to_wire, meter_to_wire, describe, parts_named)
UTC = 1_790_000_000.0  # the wall clock when a world begins


class MemoryStore:
    """Keeps what a disk would keep; refuses while `failure` says why."""

    def __init__(self) -> None:
        self.policies: list[AcceptedPolicy] = []
        self.paths: set[str] = set()
        self.kept_decisions: dict[int, Decision] = {}
        self.kept_allowances: dict[int, Allowance] = {}
        self.kept_tokens: dict[str, TokenRecord] = {}
        self.kept_clients: dict[str, tuple[str, dict[str, Any], str, str]] = {}
        self.kept_secrets: dict[str, PoolSecret] = {}
        self.kept_offenders: dict[Network, Offender] = {}
        self.kept_network: dict[str, Any] | None = None
        self.kept_bridges: dict[int, dict[str, Any]] = {}
        self.kept_names: dict[int, dict[str, Any]] = {}
        self.failure = ""

    def last_policy(self) -> AcceptedPolicy | None:
        return self.policies[-1] if self.policies else None

    def accept_policy(self, file: str, text: str) -> AcceptedPolicy:
        self._refuse_on_failure()
        last = self.last_policy()
        if last is None or (last.file, last.text) != (file, text):
            self.policies.append(AcceptedPolicy(len(self.policies) + 1, file, text))
        return self.policies[-1]

    def drained(self) -> frozenset[str]:
        return frozenset(self.paths)

    def set_drained(self, path: str, is_drained: bool) -> None:
        self._refuse_on_failure()
        (self.paths.add if is_drained else self.paths.discard)(path)

    def network(self) -> dict[str, Any] | None:
        return self.kept_network

    def put_network(self, facts: Mapping[str, Any]) -> None:
        self._refuse_on_failure()
        self.kept_network = dict(facts)

    def decisions(self) -> list[Decision]:
        return list(self.kept_decisions.values())

    def change_decisions(self, put: Sequence[Decision], ended: Sequence[Decision]) -> None:
        self._refuse_on_failure()
        self.kept_decisions |= {each.number: each for each in put}
        for each in ended:
            self.kept_decisions.pop(each.number, None)

    def bridges(self) -> list[tuple[int, dict[str, Any]]]:
        return list(self.kept_bridges.items())

    def put_bridge(self, dpid: int, facts: Mapping[str, Any]) -> None:
        self._refuse_on_failure()
        self.kept_bridges[dpid] = json.loads(json.dumps(facts))

    def delete_bridge(self, dpid: int) -> None:
        self._refuse_on_failure()
        self.kept_bridges.pop(dpid, None)

    def port_names(self) -> list[tuple[int, dict[str, Any]]]:
        return list(self.kept_names.items())

    def put_port_names(self, dpid: int, names: Mapping[str, Any]) -> None:
        self._refuse_on_failure()
        self.kept_names[dpid] = dict(names)

    def delete_port_names(self, dpid: int) -> None:
        self._refuse_on_failure()
        self.kept_names.pop(dpid, None)

    def offenders(self) -> list[Offender]:
        return list(self.kept_offenders.values())

    def change_offenders(self, put: Sequence[Offender], gone: Sequence[Network]) -> None:
        self._refuse_on_failure()
        self.kept_offenders |= {each.source: each for each in put}
        for source in gone:
            self.kept_offenders.pop(source, None)

    def allowances(self) -> list[Allowance]:
        return list(self.kept_allowances.values())

    def put_allowance(self, allowance: Allowance) -> None:
        self._refuse_on_failure()
        self.kept_allowances[allowance.number] = allowance

    def delete_allowance(self, number: int) -> None:
        self._refuse_on_failure()
        self.kept_allowances.pop(number, None)

    def antivirus_clients(self) -> list[tuple[str, dict[str, Any], str, str]]:
        return list(self.kept_clients.values())

    def put_antivirus_clients(self, rows: Sequence[tuple[str, Mapping[str, Any], str, str]]) -> None:
        self._refuse_on_failure()
        self.kept_clients |= {key: (key, dict(facts), server, utc) for key, facts, server, utc in rows}

    def pool_secret(self, pool: str) -> PoolSecret:
        self._refuse_on_failure()
        return self.kept_secrets.setdefault(pool, PoolSecret(f"{len(self.kept_secrets):064x}", 1_700_000_000))

    def tokens(self) -> list[TokenRecord]:
        return list(self.kept_tokens.values())

    def put_token(self, token: TokenRecord) -> None:
        self._refuse_on_failure()
        self.kept_tokens[token.name] = token

    def delete_token(self, name: str) -> None:
        self._refuse_on_failure()
        self.kept_tokens.pop(name, None)

    def _refuse_on_failure(self) -> None:
        if self.failure:
            raise StoreError(self.failure)


class FakeChannel:
    """One connection to a fake switch; nothing travels before `World.settle`."""

    def __init__(self, switch: FakeSwitch) -> None:
        self.switch = switch
        self.due: list[bytes] = []
        self.asked: list[str] = []
        self.plans: list[Plan] = []
        self.resets: list[SettingsReset] = []
        self.looked_up: list[tuple[int, int]] = []  # cookie and mask
        self.parts_asked: list[tuple[tuple[int, ...], bool]] = []  # meters, and whether groups, too
        self.probed: list[PortRef] = []
        self.forgotten: list[Connection] = []
        self.woken: list[tuple[int, Connection]] = []
        self.received = 0
        self._conversation = Conversation()

    def read(self, attempt: int) -> None:
        self.asked.append("read")
        self.due += self._conversation.ask_state(attempt)

    def watch(self) -> None:
        self.due += self._conversation.ask_monitor()

    def read_groups(self, turn: int) -> None:
        self.due += self._conversation.ask_groups(turn)

    def send(self, attempt: int, plan: Plan) -> None:
        self.asked.append(str(plan))
        self.plans.append(plan)
        self.due += self._conversation.send_plan(attempt, plan)

    def reset(self, reset: SettingsReset) -> None:
        self.resets.append(reset)
        self.due += self._conversation.reset(reset)

    def probe(self, origin: PortRef) -> None:
        self.probed.append(origin)

    def forget(self, connections: tuple[Connection, ...]) -> None:
        self.forgotten += connections

    def look_up(self, number: int, cookie: int, mask: int) -> None:
        self.looked_up.append((cookie, mask))
        self.due += self._conversation.look_up(number, cookie, mask)

    def look_up_parts(self, number: int, meters: tuple[int, ...], with_groups: bool) -> None:
        self.parts_asked.append((meters, with_groups))
        self.due += self._conversation.look_up_parts(number, meters, with_groups=with_groups)

    def wake_up(self, connection: Connection, port: int, own_mac: int) -> None:
        self.woken.append((port, connection))

    def heard(self, messages: list[bytes]) -> list[Outcome]:
        """Return what messages mean that the switch sends by itself."""
        self.received += len(messages)
        outcomes = [self._conversation.receive(each) for each in messages]
        return [outcome for outcome in outcomes if outcome is not None]

    def exchange(self) -> list[Outcome]:
        """Hand one message over; return what its replies mean."""
        replies = self.switch.receive(self.due.pop(0))
        self.received += len(replies)
        outcomes = [self._conversation.receive(reply) for reply in replies]
        self.due += self._conversation.take_outgoing()
        return [outcome for outcome in outcomes if outcome is not None]


class FakeBridges:
    """Keeps what `ovs-vsctl` would have been given. The controller is at `own`."""

    def __init__(self) -> None:
        self.own = "tcp:127.0.0.1:6653"
        self.changes: list[tuple[str, tuple[str, ...]]] = []

    def change(self, switch: str, arguments: tuple[str, ...]) -> None:
        self.changes.append((switch, arguments))

    def own_target(self, target: str) -> str:
        return self.own


class ReadyProver:
    """Finds everything proved, unless `answer` says something else; it answers when the world lets it."""

    def __init__(self) -> None:
        self.due: list[Question] = []
        self.asked: list[Question] = []
        self.is_prompt = True
        self.answer: Callable[[Question], Answer] = proved

    def ask(self, question: Question) -> None:
        self.asked.append(question)
        self.due = [each for each in self.due if each.purpose is not question.purpose] + [question]

    def take(self) -> list[Answer]:
        due, self.due = self.due, []
        return [self.answer(question) for question in due]


def proved(question: Question) -> Answer:
    flows = sum(len(state.flows) for state in question.switches.values())
    return Answer(question.number, ProofOutcome.PROVED, 0.03, flows)


class World:
    """One runtime. Time stands still unless a test moves it. `utc`: the wall clock when it begins.

    `sink`: where the journal goes, instead of `journal_text`.
    """

    def __init__(self, store: Any = None, utc: float = UTC, sink: Sink | None = None) -> None:
        self.now = 0.0
        self._utc = utc
        self.store = store if store is not None else MemoryStore()
        self.published: list[Mapping[str, Settings]] = []
        self.publish_failure: OSError | None = None
        self.prover = ReadyProver()
        self._journal = Pages()
        clock = Clock(lambda: self.now, lambda: self.utc)
        journal = Journal(sink or self._journal, "controller", "test")
        self.bridges = FakeBridges()
        outside = ENCODER, self._publish, self.store, journal, clock, self.bridges, self.prover
        self.runtime = Runtime(RuntimeDependencies(*outside))
        self.runtime.on(BridgesUnread("a test", is_wanted=False))

    @property
    def utc(self) -> float:
        return self._utc + self.now

    @property
    def core(self) -> RuntimeCore:
        """What the runtime knows, to look at."""
        return self.runtime.core

    def start(self, file: str = "demo.yaml", text: str = DEMO) -> None:
        self.runtime.start(file, text)
        self.let_prove()

    def handle(self, command: Command[R], by: Principal = CONTROLLER) -> R:
        return self.ask(Asked(command, by, "a test", self.utc))

    def ask(self, asked: Asked[R]) -> R:
        """Do what the loop does with a request while nothing else waits."""
        try:
            return self.runtime.handle(asked)
        except ProofPending:
            if not self.prover.is_prompt:
                raise
            self.let_prove()
            return self.runtime.handle(asked)
        finally:
            self.runtime.catch_up()
            self.let_prove()

    def on(self, event: RuntimeEvent) -> None:
        """Do what the loop does with an event while nothing else waits."""
        self.runtime.on(event)
        self.runtime.catch_up()
        self.let_prove()

    def let_prove(self, *, is_asked: bool = False) -> None:
        """Let the proving process answer: always, unless it is not prompt and nobody asks for it."""
        while self.prover.due and (self.prover.is_prompt or is_asked):
            for answer in self.prover.take():
                self.runtime.on(ProverReported(answer))
                self.runtime.catch_up()

    def apply(self, text: str, file: str = "demo.yaml") -> PolicyApplied:
        return self.handle(ApplyPolicy(file, text))

    def _publish(self, settings: Mapping[str, Settings]) -> None:
        if self.publish_failure:
            raise self.publish_failure
        self.published.append(settings)

    def connect(self, dpid: int = 1, switch: FakeSwitch | None = None) -> FakeChannel:
        channel = FakeChannel(switch or FakeSwitch())
        self.on(SwitchConnected(dpid, channel))
        return channel

    def disconnect(self, dpid: int, channel: FakeChannel) -> None:
        self.on(SwitchDisconnected(dpid, channel))

    def hear(self, dpid: int, channel: FakeChannel, outcome: Outcome) -> None:
        """Let a switch say something of its own accord."""
        self.on(OutcomeReceived(dpid, channel, outcome))

    def report(self, channel: FakeChannel, messages: list[bytes], dpid: int = 1) -> None:
        """Let a switch report what somebody else has changed."""
        for outcome in channel.heard(messages):
            self.hear(dpid, channel, outcome)

    def settle(self, channel: FakeChannel, dpid: int = 1) -> None:
        """Let everything travel until both sides have nothing left to say."""
        while channel.due:
            for outcome in channel.exchange():
                self.hear(dpid, channel, outcome)

    def tick(self, seconds: float) -> None:
        self.now += seconds
        self.on(TimePassed())

    @property
    def journal_text(self) -> str:
        """Return the journal as it was written."""
        return self._journal.text

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the facts of all events of one name, oldest first."""
        lines = map(json.loads, self._journal.text.splitlines())
        return [
            {key: fact for key, fact in line.items() if key not in COMMON_FIELDS}
            for line in lines
            if line["event"] == name
        ]
