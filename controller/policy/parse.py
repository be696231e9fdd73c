"""The border: text in, a frozen `Policy` out, or every error at once."""

from dataclasses import replace
from pathlib import Path

from controller.errors import PolicyError, PolicyErrors
from controller.policy.build import build_policy
from controller.policy.checks import KnownNames, Report, check
from controller.policy.grammar import POLICY
from controller.policy.layout import check_layout
from controller.policy.model import Place, Policy
from controller.policy.nodes import MAX_BYTES, read_nodes, too_large
from controller.policy.probing import check_probing
from controller.policy.reading import Fields, Reader
from controller.policy.updating import check_updating


def read_policy(path: Path) -> Policy:
    """Read and check a policy file. Raise `PolicyErrors`, or `OSError` if it cannot be read."""
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:  # before decoding: the end of `raw` may be half a character
        raise too_large(str(path))
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        place = Place(str(path), line, column)
        message = f"byte {raw[error.start]:#04x} is not UTF-8 text"
        raise PolicyErrors([PolicyError(place, "policy", message, "save the file as UTF-8")]) from error
    return parse_policy(text, str(path))


def parse_policy(text: str, file: str) -> Policy:
    """Parse and check a policy. Raise `PolicyErrors` with all that is wrong."""
    top_place = Place(file, 1, 1)
    root = read_nodes(text, file)
    if root is None:
        raise PolicyErrors([PolicyError(top_place, "policy", "is empty", "begin with `postern: 1`")])
    reader = Reader()
    top = reader.record(root, POLICY, "")
    places = {**reader.places, **_link_places(top, reader)}
    report = Report(places, top_place, reader.errors)
    policy = build_policy(top)
    check(policy, _known_names(top), report)
    check_layout(policy, _known_names(top), report)
    check_probing(policy, report)
    check_updating(policy, _known_names(top), report)
    if report.errors:
        raise PolicyErrors(report.errors)
    return replace(policy, places=places)


def _known_names(top: Fields) -> KnownNames:
    pools = sorted((top.get("pools") or {}).items())
    return KnownNames(
        frozenset(top.get("switches") or {}), {name: fields.get("kind") for name, fields in pools}
    )


def _link_places(top: Fields, reader: Reader) -> dict[str, Place]:
    """Links are named by their ends, not by their position in the list."""
    places: dict[str, Place] = {}
    for fields in top.get("links", ()):
        a, b = sorted((fields["a"], fields["b"]))
        path = f"links.{a}-{b}"
        first = places.setdefault(path, fields.place)
        if first is not fields.place:
            reader.error(fields.place, path, f"is given already in line {first.line}", "remove one of them")
    return places
