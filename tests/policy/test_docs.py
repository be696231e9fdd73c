"""The reference of the policy says what is so: keys, defaults, examples, and what `postern check` prints."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.main import main
from common.config.grammar import Record, Type, records_within
from common.config.kinds import Kind
from common.config.nodes import Scalar, read_nodes
from common.config.reference import build_page
from common.config.report import ErrorReport
from controller.policy import grammar
from controller.policy.grammar import POLICY, POLICY_FILE
from controller.policy.parse import parse_policy
from controller.policy.reference import HEAD

ROOT = Path(__file__).parents[2]
MINIMAL = (ROOT / "policies" / "minimal.yaml").read_text(encoding="utf-8")


def page_with(example: str) -> str:
    return build_page(POLICY_FILE, HEAD, (ROOT / "policies" / example).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page() -> str:
    return page_with("demo.yaml")


def rows_of(page: str, section: str) -> list[list[str]]:
    """Return the cells of the table under a heading."""
    table = page.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("| ") for line in table.splitlines() if line.startswith("| `")]
    return [re.split(r" *\| *", row) for row in rows]


def records(wanted: Type) -> Iterator[Record]:
    for inner in records_within(wanted):
        yield inner
        for key in inner.keys.values():
            yield from records(key.type)


def test_the_page_that_we_ship_is_fresh(page: str) -> None:
    assert (ROOT / "docs" / "reference" / "policy.md").read_text(encoding="utf-8") == page, (
        "stale; remedy: make docs"
    )


def test_every_key_has_a_meaning_and_a_row(page: str) -> None:
    for record in records(POLICY):
        for name, key in record.keys.items():
            assert key.means
            assert f"| `{name}` |" in page
            assert f"| {key.means} |" in page


def test_a_row_says_kind_meaning_default_and_example(page: str) -> None:
    rows = {row[0]: row[1:] for row in rows_of(page, "`tenants.NAME.mail.on_verdict`")}
    assert rows["`encrypted`"] == [
        "`reject` or `tempfail` or `pass-tagged`",
        "the content cannot be scanned",
        "pass-tagged",
        "`pass-tagged`",
    ]


def test_an_example_is_the_first_in_the_file_and_quoted_as_it_is_there(page: str) -> None:
    rows = {row[0]: row[-1] for row in rows_of(page, "`tenants.NAME`")}
    assert rows["`prefixes`"] == '`[203.0.113.0/26, "2001:db8:a::/48"]`'


def test_a_policy_that_leaves_keys_out_gives_no_examples_of_them() -> None:
    page = page_with("minimal.yaml")
    assert rows_of(page, "`tenants.NAME.mail.tls`")[0][-1] == "offer"  # its default comes last


def written_out(record: Record, but: str = "") -> str:
    """Return the keys of a record whose documented default is a value, with that value."""
    defaults = {
        name: key.default for name, key in record.keys.items() if isinstance(key.type, Kind) and key.default
    }
    defaults.pop(but, "")
    assert defaults
    return ", ".join(f"{name}: {default}" for name, default in defaults.items())


def test_writing_out_every_documented_default_changes_nothing() -> None:
    text = MINIMAL.replace(
        "servers: [203.0.113.10]",
        f"servers: [203.0.113.10], {written_out(grammar.MAIL)}, "
        f"on_verdict: {{{written_out(grammar.ON_VERDICT)}}}, tls: {{{written_out(grammar.MAIL_TLS)}}}",
    )
    text = text.replace("[192.0.2.21]", f"[192.0.2.21], {written_out(grammar.MEMBER)}")
    health = f"{{by: none, {written_out(grammar.HEALTH, but='by')}}}"
    text = text.replace("kind: scanner", f"kind: scanner\n    port: 3310\n    health: {health}")
    assert "message_limit: 25MiB" in text
    assert parse_policy(text, "p.yaml") == parse_policy(MINIMAL, "p.yaml")


def test_the_page_shows_what_check_prints(
    page: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["check", "policies/demo.yaml", "policies/invalid/unknown-key.yaml"]) == 1
    printed = capsys.readouterr()
    shown = [line.strip() for line in page.splitlines() if line.startswith("    policies/")]
    assert shown == [*printed.out.splitlines(), *printed.err.splitlines()]


def test_plain_text_is_told_from_quoted_text() -> None:
    plain, quoted = (
        read_nodes(text, ErrorReport("p.yaml", "policy"), POLICY_FILE.limits) for text in ("acme", '"acme"')
    )
    assert isinstance(plain, Scalar)
    assert isinstance(quoted, Scalar)
    assert (plain.is_quoted, quoted.is_quoted) == (False, True)
