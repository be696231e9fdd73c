"""Pages and messages avoid phrases that make a native reader stop (CONTRIBUTING.md, Plain English)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# What is held to plain English. Extend these when another part has been rewritten.
_PAGES = ("*.md", "docs/**/*.md")
_PROGRAMS = tuple(
    f"{folder}/**/*.py"
    for folder in ("apps", "benchmarks", "cli", "common", "controller", "lab", "mininet_topos", "services")
)
_SCRIPTS = ("Makefile", "deploy/setup/*", "deploy/systemd/*", "policies/*.yaml")
_NOT_YET = frozenset({"CHANGELOG.md"})  # what was released is not rewritten

_PATTERNS = {
    r"(?<!here )\bis no\b(?! (?:longer|more|less)\b)": "is not a valid ...",
    r"\bthat (?:is|are) none\b": "is not a valid ...",
    r"\btold (?:of|by)\b": "reported",
    r"\btells? (?:the|a) decoy\b": "gives the decoy away",
    r"\bwh(?:o|om)(?:so)?ever\b": "name the part: any client",
    r"\b(?:[Ss]ome|[Aa]ny|[Ee]very|[Nn]o)body\b": "name the part: a client, all clients",
    r"\bwithout anyone\b": "without affecting ...",
    r"\b(?:[Hh]e|[Hh]im|[Hh]is)\b": "it for a host, they for a person",
    r"\b(?:many|[\d,]*\d|bytes|connections|decisions|flows|messages|packets|sessions) a (?:core-)?second\b": (
        "N per second"
    ),
    r"\b(?:is|are) (?:well|ill)\b(?! (?:known|maintained))": "healthy, unhealthy",
    r"\b(?:[Aa]ll|[Aa]nything|[Ee]verything|[Nn]one|[Nn]othing|[Nn]o one) but\b": "except",
    r" but for ": "except for",
    r"\bas it should be\b": "ok, FAILED",
    r"\bis otherwise\b": "say what differs",
    r"\bshall\b": "must, will",
    r"\blest\b": "so that ... not",
    r"\banew\b": "again",
    r"\bof itself\b": "automatically",
    r"\bperforce\b|\bhitherto\b|\bwhence\b|\bthither\b": "a common word",
    r"\bgoes? round in circles\b": "mail forwarding loop",
    r"\bof ours\b|\bof our own\b": "Postern's, custom, one of our ...",
    r"\b[Ll]one (?:CRs?|LFs?|newlines?)\b": "bare CR, bare LF, bare newlines",
    r"\b(?:is|are|was|were) away\b": "is unavailable, cannot be reached",
    r"\b(?:[Cc]lient|[Ss]ender|[Ss]erver)s? hears?\b": "gets",
    r"\b(?:[Aa]ll|[Aa]ny|[Ee]ach|[Ee]very) mistakes?\b": "error",
    r"--help says\b": "--help lists all options, see --help",
    r"\bone a line\b": "one per line",
    r"\bholds (?:more|less) than\b": "is larger than",
    r"\bwithout end\b": "endless, does not expire",
    r"\bnot heard of\b": "no report",
}
_ALLOWED = (
    "nobody else has the real server's key",  # printed by `postern persona compare`
    "nobody@",  # a recipient that does not exist
    "RCPT of nobody",  # the same, as a key in the looks of `postern persona`
    "The user `nobody`",
    "the user nobody",
    "## While the controller is away",  # a heading that other pages may link to
)


def _files(patterns: tuple[str, ...]) -> list[Path]:
    found = {file for pattern in patterns for file in ROOT.glob(pattern) if file.is_file()}
    return sorted(file for file in found if str(file.relative_to(ROOT)) not in _NOT_YET)


def _paragraphs(page: str) -> str:
    """Return a page without its quotations, which may be examples of bad style, and without code."""
    return re.sub(r'"[^"\n]*"|`[^`\n]*`', lambda found: " " * len(found[0]), page)


def _texts_in(program: str) -> str:
    """Return what a program's strings say, each on its own line of the file."""
    lines = [""] * (program.count("\n") + 2)
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            for offset, text in enumerate(node.value.split("\n")):
                place = min(node.lineno + offset, len(lines)) - 1
                lines[place] += f" {text}"
    return "\n".join(lines)


def _stumbles(text: str) -> Iterator[str]:
    for number, line in enumerate(text.split("\n"), start=1):
        for allowed in _ALLOWED:
            line = line.replace(allowed, "")
        for pattern, better in _PATTERNS.items():
            if found := re.search(pattern, line):
                yield f"line {number}: {found[0].strip()!r}; say: {better}"


def _id(file: Path) -> str:
    return str(file.relative_to(ROOT))


@pytest.mark.parametrize("file", _files(_PAGES), ids=_id)
def test_a_page_reads_like_plain_english(file: Path) -> None:
    page = file.read_text(encoding="utf-8")
    text = "\n".join(line for line in page.split("\n") if not any(each in line for each in _ALLOWED))
    assert list(_stumbles(_paragraphs(text))) == []


@pytest.mark.parametrize("file", _files(_PROGRAMS), ids=_id)
def test_the_texts_of_a_program_read_like_plain_english(file: Path) -> None:
    assert list(_stumbles(_texts_in(file.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize("file", _files(_SCRIPTS), ids=_id)
def test_a_script_or_sample_reads_like_plain_english(file: Path) -> None:
    assert list(_stumbles(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "sentence",
    [
        "10 is no time in 1s..18h",
        "a full disk stops none of them, and is told of",
        "whoever answers there is a decoy",
        "it passes, so many a second",
        "everybody gets what he had before",
        "No flow leads there but for the gateways",
        "the server was well, and is well again",
        "a program of ours reports all mistakes",
        "while the controller is away, the client hears 451",
        "a lone LF; --help says the rest",
    ],
)
def test_the_old_turns_of_phrase_are_found(sentence: str) -> None:
    assert list(_stumbles(sentence))


def test_ordinary_sentences_are_not_refused() -> None:
    text = (
        "There is no slow start, and Ryu is no longer maintained: 5 per second, once a second, is well known."
    )
    assert not list(_stumbles(text))
