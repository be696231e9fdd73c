"""The walk of docs/architecture.md for a message: through the switch, then through the gateway."""

from dataclasses import dataclass, field
from ipaddress import ip_address

from controller.policy.parse import parse_policy
from services.base.clamd import Verdict
from services.mail.relay.ports import Spool
from services.mail.settings import ScannerAddress
from tests.compiler.reach import Probe
from tests.mail.playbook.memory import MemorySpool
from tests.mail.playbook.sender import MESSAGE
from tests.mail.playbook.stage import CLEAN, ScriptedScanners, ServerScript, Stage, Step
from tests.walks.steps import Recorder, TableWalk, documented
from tests.world import DEMO

POLICY = parse_policy(DEMO, "demo.yaml")
CLIENT, SERVER = map(ip_address, ("198.51.100.10", "203.0.113.10"))
QUEUED = b"250 2.0.0 queued as 1\r\n"


@dataclass
class Server(ServerScript):
    """The tenant's server notes the steps that it sees."""

    recorder: Recorder = field(default_factory=Recorder)

    def step_for(self, verb: str, default: bytes) -> Step:
        step_by_verb = {"CONNECT": "connect", "RCPT": "relay", "DATA": "deliver"}
        if verb in step_by_verb:
            self.recorder.note(step_by_verb[verb])
        return super().step_for(verb, default)


class Scanners(ScriptedScanners):
    def __init__(self, recorder: Recorder) -> None:
        super().__init__(CLEAN)
        self._recorder = recorder

    async def scan(self, spool: Spool, scanners: tuple[ScannerAddress, ...]) -> Verdict:
        self._recorder.note("scan")
        return await super().scan(spool, scanners)


class Mail(Stage):
    """Notes when the gateway begins to store a message, and when the client hears the server's own reply."""

    def __init__(self, recorder: Recorder, server: Server, scanners: Scanners) -> None:
        super().__init__(server, scan=[{"action": "scan"}], scanners=scanners)
        self._recorder = recorder

    def _new_spool(self) -> MemorySpool:
        self._recorder.note("receive")
        return super()._new_spool()

    def _hear(self, data: bytes) -> None:
        super()._hear(data)
        if QUEUED in data:
            self._recorder.note("reply")


def test_a_message_takes_the_documented_steps() -> None:
    recorder = Recorder()
    reached = TableWalk(POLICY, recorder.note).reached(Probe(CLIENT, SERVER, 25))
    assert reached == {"pools.proxies.members.proxy1", "pools.proxies.members.proxy2"}

    server, scanners = Server(recorder=recorder), Scanners(recorder)
    stage = Mail(recorder, server, scanners)
    stage.begin()
    for line in (b"EHLO client.example", b"MAIL FROM:<a@b.example>", b"RCPT TO:<c@acme.example>"):
        assert stage.ask(line).startswith(b"250")
    assert stage.ask(b"DATA").startswith(b"354")
    assert b"DATA" not in server.commands
    assert stage.ask(MESSAGE + b"\r\n.") == QUEUED
    assert scanners.scanned == server.messages

    assert recorder.steps == documented("A message")
