"""Text in, a frozen `Policy` out, or all errors at once."""

from dataclasses import replace
from pathlib import Path

from common.config.files import read_text
from common.config.reading import Fields, read_document
from common.config.report import ErrorReport
from controller.policy.build import build_policy
from controller.policy.checks.addresses import check_addresses
from controller.policy.checks.antivirus import check_antivirus
from controller.policy.checks.health import check_health
from controller.policy.checks.mail import check_mail
from controller.policy.checks.names import KnownNames
from controller.policy.checks.pools import check_levels, check_pools
from controller.policy.checks.topology import check_topology
from controller.policy.grammar import POLICY_FILE
from controller.policy.model import Policy


def read_policy(path: Path) -> Policy:
    """Read and check a policy file. Raise `ConfigErrors`, or `OSError` if it cannot be read."""
    return parse_policy(read_text(path, POLICY_FILE), str(path))


def parse_policy(text: str, file: str) -> Policy:
    """Parse and check a policy. Raise `ConfigErrors` with all that is wrong."""
    top, report = read_document(text, file, POLICY_FILE)
    _note_link_places(top, report)
    policy, known = build_policy(top), _known_names(top)
    check_topology(policy, known, report)
    check_addresses(policy, report)
    check_mail(policy, known, report)
    check_pools(policy, known, report)
    check_levels(policy, report)
    check_health(policy, report)
    check_antivirus(policy, known, report)
    report.raise_any()
    return replace(policy, places=report.places)


def _known_names(top: Fields) -> KnownNames:
    pools = sorted((top.get("pools") or {}).items())
    return KnownNames(
        frozenset(top.get("switches") or {}), {name: fields.get("kind") for name, fields in pools}
    )


def _note_link_places(top: Fields, report: ErrorReport) -> None:
    """Links are named by their ends, not by their position in the list."""
    for number, fields in enumerate(top.get("links", ()), 1):
        a, b = sorted((fields["a"], fields["b"]))
        path, place = f"links.{a}-{b}", report.place(f"links.{number}")
        first = report.places.setdefault(path, place)
        if first is not place:
            report.note(place, path, f"is already given on line {first.line}", "remove one of them")
