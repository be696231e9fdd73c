"""What an operator may write is the same in every file, and no text does anything but be read or refused."""

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import jsonschema
import pytest
import yaml
from hypothesis import strategies as st

from cli.documents import KINDS, load_kind
from common.config import kinds
from common.config.building import field_of
from common.config.errors import ConfigErrors
from common.config.grammar import (
    Document,
    Key,
    ListOf,
    MapOf,
    PairOf,
    Record,
    Variants,
    WordOr,
    records_within,
)
from common.config.kinds import Kind, Wrong
from common.config.nodes import Limits
from common.config.reading import read_document
from common.config.schema import build_schema
from controller.compiler.errors import CompileError
from tests.examples import examples

YAMLS_OWN = "postern-:1 {}[]&*!|>%@#'\"\n\t?~<=."
ROOT = Path(__file__).parents[2]
PEOPLE = Record(
    {
        "format": Key(kinds.format_number(1), "format", True),
        "name": Key(kinds.NAME, "a name", default="anon"),
        "mac": Key(kinds.MAC, "a MAC"),
        "address": Key(kinds.ADDRESS, "an address"),
        "prefixes": Key(ListOf(kinds.NETWORK, 1, 2), "prefixes", default="[192.0.2.0/24]"),
        "size": Key(kinds.size("1KiB", "1MiB"), "a size"),
        "wait": Key(kinds.duration("10ms", "18h"), "a duration", default="10m"),
        "share": Key(kinds.PERCENTAGE, "a share"),
        "colour": Key(kinds.choice(("blue", "green")), "a colour"),
        "flag": Key(kinds.FLAG, "a flag"),
        "number": Key(kinds.whole_number(1, 9), "a number"),
        "decimal": Key(kinds.decimal(0, 1), "a number"),
        "text": Key(kinds.lines(longest=10), "a text"),
        "file": Key(kinds.FILE, "a file"),
        "url": Key(kinds.URL, "a URL"),
        "pair": Key(PairOf(kinds.NAME, kinds.NAME), "a pair"),
        "pets": Key(MapOf(Record({"age": Key(kinds.PORT, "its age", True)}), at_most=2), "pets"),
        "one": Key(WordOr(kinds.FLAG, ListOf(kinds.NAME)), "one or many"),
        "shape": Key(
            Variants(
                "is",
                (
                    Record({"is": Key(kinds.choice(("dot",)), "shape", True)}),
                    Record(
                        {
                            "is": Key(kinds.choice(("box", "cube")), "shape", True),
                            "edge": Key(kinds.PORT, "", True),
                        }
                    ),
                ),
            ),
            "a shape",
        ),
    }
)
DOCUMENT = Document("people", "People", PEOPLE, Limits(10_000, 5))


def mistakes(text: str) -> list[str]:
    """Return line, column, key and message of each mistake."""
    try:
        _, report = read_document(text, "f.yaml", DOCUMENT)
        report.raise_any()
    except ConfigErrors as errors:
        return [str(error).removeprefix("f.yaml:").partition("; remedy: ")[0] for error in errors.errors]
    return []


def refusal(kind: Kind, text: str) -> str:
    with pytest.raises(Wrong) as caught:
        kind.read(text)
    return f"{caught.value.message}; {caught.value.remedy}"


def test_mistakes_of_every_kind_in_one_file_are_all_reported_in_the_order_of_its_lines() -> None:
    text = """\
format: 2
name: "A B"
mac: 01:00:00:00:00:01
address: 127.0.0.1
prefixes: [192.0.2.1/24, 10/8, x]
size: 2MiB
wait: 10
share: 101%
colour: gren
flag: yes
number: 0
decimal: 1e-1
text: "01234567890"
file: x.pem
url: ftp://x/
pair: [a]
pets: {cat: {}, Dog: {age: 1}}
one: {}
shape: {is: box}
name: again
other: 1
[a]: 1
size: !!int 5
mac: &a 1
"""
    assert mistakes(text) == [
        '1:9: format: format "2" is not supported',
        '2:7: name: "A B" is not a valid name',
        "3:6: mac: 01:00:00:00:00:01 is not the MAC of one host",
        "4:10: address: 127.0.0.1 is not the address of one host",
        "5:11: prefixes: has 3 entries; the maximum is 2",
        '6:7: size: "2MiB" is not a valid size (1KiB to 1MiB)',
        '7:7: wait: "10" is not a valid duration (10ms to 18h)',
        '8:8: share: "101%" is not a valid percentage',
        '9:9: colour: "gren" is not a valid value',
        '10:7: flag: "yes" is neither true nor false',
        '11:9: number: "0" is not a valid number (1 to 9)',
        '12:10: decimal: "1e-1" is not a valid number (0 to 1)',
        "13:7: text: is longer than 10 characters",
        '14:7: file: "x.pem" is not an absolute path',
        '15:6: url: "ftp://x/" is not a valid URL',
        "16:7: pair: holds a list where a pair is expected",
        "17:13: pets.cat.age: is missing",
        '17:17: pets.Dog: "Dog" is not a valid name',
        "18:6: one: holds a mapping where a list is expected",
        "19:8: shape.edge: is missing",
        "20:1: name: is a duplicate key (first on line 2)",
        "21:1: other: unknown key",
        "22:1: people: a key must be plain text",
        "23:1: size: is a duplicate key (first on line 6)",
        "23:7: size: tags are not accepted",
        "24:1: mac: is a duplicate key (first on line 3)",
        "24:6: mac: anchors and aliases are not accepted",
    ]


def test_an_alias_is_refused_and_the_rest_of_the_file_is_still_read() -> None:
    text = "format: 1\nname: &n ok\npets: {a: *n}\nprefixes: [*n, x]\nnumber: 0\n"
    assert [each.split(": ")[0] + ": " + each.split(": ")[1] for each in mistakes(text)] == [
        "2:7: name",
        "3:11: pets.a",
        "4:12: prefixes.1",
        "4:16: prefixes.2",
        "5:9: number",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1:1: people: is empty"),
        ("# nothing\n", "1:1: people: is empty"),
        ("format: 1\n---\nformat: 1\n", "2:1: people: a second document begins here"),
        ("format: [[[[[[", "1:13: people: nested deeper than 5 levels"),
        (
            "format: 1\n\tname: x\n",
            "2:1: people: not valid YAML: found a tab character that violates indentation",
        ),
        ("format: 1\nname: \ud800", '2:7: people: "\\ud800" is half of a surrogate pair'),
        ("format: 1\nö: \0", "2:4: people: not valid YAML: control characters are not allowed"),
        ("x" * 10_001, "1:1: people: file is larger than 10000 bytes"),
        ("*a", "1:1: people: anchors and aliases are not accepted"),
    ],
)
def test_a_text_that_is_no_tree_is_refused_with_its_place(text: str, said: str) -> None:
    assert mistakes(text) == [said]


def test_what_is_absent_has_its_default_or_no_value() -> None:
    fields, report = read_document("format: 1", "f.yaml", DOCUMENT)
    assert report.errors == []
    assert (fields["name"], fields["wait"], list(map(str, fields["prefixes"]))) == (
        "anon",
        600.0,
        ["192.0.2.0/24"],
    )
    assert not fields.has("size")


def test_a_value_that_cannot_be_read_has_no_default_either() -> None:
    fields, _ = read_document("format: 1\nwait: soon", "f.yaml", DOCUMENT)
    assert not fields.has("wait")
    assert not fields.is_whole


@pytest.mark.parametrize(
    ("text", "size"), [("2048", 2048), ("2KiB", 2048), ("1024B", 1024), ("1 MiB", 2**20)]
)
def test_a_size_is_bytes_or_has_a_unit(text: str, size: int) -> None:
    assert kinds.size("1KiB", "1MiB").read(text) == size


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("16M", "16MiB"),
        ("16m", "16MiB"),
        ("16MB", "16MiB"),
        ("500K", "500KiB"),
        ("1g", "1GiB"),
        ("2 kB", "2KiB"),
    ],
)
def test_a_size_in_another_spelling_is_refused_with_the_right_one(text: str, remedy: str) -> None:
    assert refusal(kinds.size("1B", "256MiB"), text).partition("; ")[2] == f"write {remedy}"


@pytest.mark.parametrize(
    ("text", "seconds"), [("300ms", 0.3), ("10s", 10), ("5m", 300), ("2h", 7200), ("1d", 86_400)]
)
def test_a_duration_is_a_whole_number_with_a_unit(text: str, seconds: float) -> None:
    assert kinds.duration("1ms", "1d").read(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["0.5s", "10", "1w", "-1s", "s", "1 s", "²s"])
def test_a_duration_in_another_spelling_is_refused(text: str) -> None:
    assert f'"{text}"'.encode("unicode_escape").decode() in refusal(kinds.duration("1ms", "1d"), text)


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_every_grammar_has_a_meaning_and_a_good_default(kind: str) -> None:
    for record in records_of(load_kind(kind).document.record, set()):
        optional = Record({name: key for name, key in record.keys.items() if not key.is_required})
        fields, report = read_document("{}", "f.yaml", Document("x", "x", optional, Limits(100, 3)))
        report.raise_any()
        assert all(fields.has(name) for name, key in optional.keys.items() if key.default is not None)
        assert all(key.means for key in record.keys.values())


def records_of(record: Record, seen: set[Record]) -> Iterator[Record]:
    """Return a record and all records below it, each once."""
    seen.add(record)
    yield record
    for key in record.keys.values():
        for inner in records_within(key.type):
            if inner not in seen:
                yield from records_of(inner, seen)


def misfits(record: Record) -> set[str]:
    """Return fields that are given and not known to a record's type, or needed and not given."""
    parameters = inspect.signature(record.into).parameters
    is_open = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    given = {field_of(name, key) for name, key in record.keys.items()} | {record.name} - {""}
    sure = {
        field_of(name, key) for name, key in record.keys.items() if key.is_required or key.default is not None
    } | {record.name}
    needed = {
        name
        for name, each in parameters.items()
        if each.default is each.empty and each.kind not in (each.VAR_KEYWORD, each.POSITIONAL_ONLY)
    }
    return (set() if is_open else given - set(parameters)) | needed - sure


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_every_grammar_has_its_field_in_the_type_of_its_record(kind: str) -> None:
    records = records_of(load_kind(kind).document.record, set())
    assert [misfits(record) for record in records if record.into is not dict and misfits(record)] == []


def with_text_keys(data: Any) -> Any:
    """Return data as JSON has it, whose keys are texts."""
    return json.loads(json.dumps(data))


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_of_each_kind_of_file_takes_its_example(kind: str) -> None:
    schema = build_schema(load_kind(kind).document)
    jsonschema.Draft202012Validator.check_schema(schema)
    data = with_text_keys(yaml.safe_load((ROOT / load_kind(kind).example).read_text(encoding="utf-8")))
    assert [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(data)] == []


def is_survived(kind: str, text: str) -> bool:
    try:
        load_kind(kind).check(text, "fuzz.yaml")
    except ConfigErrors as errors:
        return bool(errors.errors) and all(
            error.remedy and error.place.line > 0 and str(error).isprintable() for error in errors.errors
        )
    except CompileError:
        return kind == "policy"
    return True


@pytest.mark.parametrize("kind", KINDS)
@hypothesis.given(
    text=st.text(max_size=300) | st.text(alphabet="postern-:1 {}[]&*!|>%@#'\"\n\t?~<=.", max_size=200)
)
@examples(150)
def test_any_text_is_values_or_mistakes(kind: str, text: str) -> None:
    assert is_survived(kind, text)


@st.composite
def mutilated(draw: st.DrawFn, kind: str) -> str:
    """An example with some lines lost, doubled or indented, or with other values."""
    lines = (ROOT / load_kind(kind).example).read_text(encoding="utf-8").splitlines()
    values = st.text(max_size=20) | st.sampled_from(
        [
            "",
            "~",
            "[]",
            "{}",
            "*a",
            "&a",
            "!!int x",
            "0x",
            "1e9",
            "-1",
            "::",
            "0.0.0.0/0",
            "16M",
            "tab",
            "dark",
        ]
    )
    for _ in range(draw(st.integers(1, 4))):
        index = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["lose", "double", "indent", "replace"])):
            case "lose":
                lines[index] = ""
            case "double":
                lines.insert(index, lines[index])
            case "indent":
                lines[index] = "  " + lines[index]
            case _:
                lines[index] = f"{lines[index].partition(':')[0]}: {draw(values)}"
    return "\n".join(lines)


@pytest.mark.parametrize("kind", KINDS)
@hypothesis.given(data=st.data())
@examples(100)
def test_a_mutilated_example_is_values_or_mistakes(kind: str, data: st.DataObject) -> None:
    assert is_survived(kind, data.draw(mutilated(kind)))


def _laughs() -> str:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    return "a0: &a0 [lol]\n" + "\n".join(levels)


@pytest.mark.parametrize(
    "text",
    [
        _laughs(),
        "[" * 10_000 + "]" * 10_000,
        "{a: " * 10_000,
        "- " * 10_000,
        "? " * 10_000,
        "a: 1\n" * 10_000,
        "a: " + "9" * 100_000,
        "k" * 50_000 + ": 1",
        "hosts: {" + ", ".join(f"t{n}: {{}}" for n in range(3_000)) + "}",
        "&a " * 5_000 + "x",
        "\0",
    ],
    ids=range(11),
)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.timeout(20)
def test_a_bomb_is_refused_before_it_hurts(kind: str, text: str) -> None:
    with pytest.raises(ConfigErrors):
        load_kind(kind).check(text, "bomb.yaml")
