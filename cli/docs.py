"""`make docs`: writes the files that are generated from the code, from any working directory."""

import json
import sys
from pathlib import Path

from cli import reference
from cli.documents import KINDS, load_kind
from cli.programs import parsers
from common import entry
from common.config.reference import build_page
from common.config.schema import build_schema
from common.journal import page as events_page
from common.journal.events import Event, JournalEvent
from controller.compiler import reference as pipeline_page
from controller.policy.parse import parse_policy
from controller.telemetry.events import ControllerEvent
from services.antivirus.agent.events import UpdateAgentEvent
from services.antivirus.builder.events import BuilderEvent
from services.antivirus.server.events import AntivirusServerEvent
from services.base.events import DaemonEvent
from services.cowrie.events import CowrieEvent
from services.decoy.journal import DecoyEvent
from services.health_agent.events import HealthAgentEvent
from services.mail.events import MailEvent
from services.responder.events import ResponderEvent
from services.sensors.events import SensorsEvent
from services.uplink.events import UplinkEvent

_ROOT = Path(__file__).resolve().parents[1]
_DEMO = Path("policies/demo.yaml")
CATALOGUES: tuple[type[Event], ...] = (
    ControllerEvent,
    DaemonEvent,
    MailEvent,
    ResponderEvent,
    DecoyEvent,
    CowrieEvent,
    HealthAgentEvent,
    AntivirusServerEvent,
    UpdateAgentEvent,
    BuilderEvent,
    SensorsEvent,
    UplinkEvent,
    JournalEvent,
)


def made_files() -> dict[Path, str]:
    """Return the content of each generated file."""
    files = {
        Path("docs/cli.md"): reference.build_page(parsers()),
        Path("docs/pipeline.md"): pipeline_page.build_page(parse_policy(_text(_DEMO), str(_DEMO))),
        Path("docs/events.md"): events_page.build_page(CATALOGUES),
    }
    for kind in map(load_kind, KINDS):
        files[kind.page] = build_page(kind.document, kind.head, _text(kind.example))
        files[kind.schema] = json.dumps(build_schema(kind.document), indent=2) + "\n"
    return files


def _text(file: Path) -> str:
    return (_ROOT / file).read_text(encoding="utf-8")


def main() -> None:
    for file, content in made_files().items():
        (_ROOT / file).write_text(content, encoding="utf-8")
        print(file)


def run() -> int:
    """Run the program: `main`, and a report after any unexpected error."""
    return entry.run("cli.docs", main)


if __name__ == "__main__":
    sys.exit(run())
