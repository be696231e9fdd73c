"""The reference of the policy as a page, from the grammar, with examples from a policy. Pure."""

from collections.abc import Iterator, Mapping

from controller.errors import MOST_ERRORS
from controller.policy.grammar import POLICY, Key, ListOf, MapOf, Record, Type, WordOr, record_within
from controller.policy.kinds import Kind
from controller.policy.nodes import MAX_BYTES, MAX_DEPTH, Node, Scalar, Sequence
from controller.policy.nodes import Mapping as MappingNode

_HEAD = """\
# The policy

One YAML file says everything: switches, uplinks, tenants, pools. This page is made from the grammar that the checker
itself reads (`make docs`); [`policies/demo.yaml`](../policies/demo.yaml) is a whole example, and
[`policies/minimal.yaml`](../policies/minimal.yaml) the smallest one.

    postern check FILE...          every mistake at once; exit code 0 when all files are good
    postern schema                 the JSON Schema, for editors
    postern plan FILE              what would change on which switch
    postern apply FILE             change it

An editor with a YAML language server completes and underlines keys after a first line such as
`# yaml-language-server: $schema=postern.schema.json` ([`policies/postern.schema.json`](../policies/postern.schema.json)).

## What `postern check` prints

Of a good file, on standard output:

    policies/demo.yaml: good. 1 switch, 1 uplink, 2 tenants, 5 pools, 8 pool members.

Of a bad one, on standard error, one line for each mistake in the order of the file, then how many there are:

    policies/invalid/unknown-key.yaml:9:5: tenants.acme.prefixs: unknown key; remedy: use one of prefixes, gateways, home, mail, services, decoys, dark, limit_per_second, antivirus, consent_to_learning (did you mean prefixes?)
    policies/invalid/unknown-key.yaml: 1 mistake, nothing was applied

File, line and column, key, what is wrong, what to do. Lines and columns count from 1. The exit code is 0 when every file
is good, else 1. With `--json`, standard output holds one list of all files' mistakes, empty when there are none; each has
`file`, `line`, `column`, `key`, `message`, `remedy`, and the whole line as `text`. A file that cannot be read, or
cannot be carried out, has only `file`, `message` and `text`.

All mistakes are found at once, except that a file which is not YAML, or repeats a key, is not looked at any further, and
that reading stops at {most_errors} mistakes. What the file says is quoted in plain letters, and cut off when long.

A file with any mistake changes nothing: the last good policy stays.
[`policies/invalid/`](../policies/invalid) has a file for each kind of mistake. Anchors, aliases, tags, tabs, a second
document, more than {max_depth} levels and more than {max_mib} MiB are refused: a policy says what it says where it says it.

## Names and values

- Names of switches, uplinks, tenants, gateways, services, pools and members: `a-z`, `0-9` and `-`, at most 31.
- A switch port is `SWITCH:PORT`: `s1:4`. Each carries one neighbour.
- Sizes are bytes, or have a unit: `25MiB`. Times have a unit: `300ms`, `10s`, `5m`, `2h`, `7d`. In patterns of mail addresses, `*` stands for any part.
- The order of keys means nothing, but the order of scan rules does: the first one that holds decides.
- A prefix is written `203.0.113.0/24`, not with a mask. Quote IPv6 in brackets: `["2001:db8::10"]`.

The examples below stand in the demo's policy; what it leaves out has none.
"""


def build_page(example: Node) -> str:
    """Return the page; `example` is the tree of a good policy."""
    head = _HEAD.format(most_errors=MOST_ERRORS, max_depth=MAX_DEPTH, max_mib=MAX_BYTES // 1024**2)
    examples = dict(reversed(list(_examples(example, POLICY, ""))))  # the first of each key counts
    return "\n".join([head, *_section("The file", "", POLICY, examples)]).rstrip() + "\n"


def _section(title: str, path: str, record: Record, examples: Mapping[str, str]) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    yield "| key | holds | meaning | default | example |"
    yield "| --- | --- | --- | --- | --- |"
    for name, key in record.keys.items():
        default = key.default or ("**required**" if key.is_required else "none")
        example = examples.get(_path(name, path, key), "")
        yield f"| `{name}` | {_holds(name, path, key)} | {key.means} | {default} | {example} |"
    yield ""
    for name, key in record.keys.items():
        inner = record_within(key.type)
        if inner is not None:
            inside = _path(name, path, key)
            yield from _section(f"`{inside}`", inside, inner, examples)


def _examples(node: Node, record: Record, path: str) -> Iterator[tuple[str, str]]:
    """Values of a policy by the path of their key, in the order of the file."""
    assert isinstance(node, MappingNode)  # the policy is good
    for key_node, value in node.entries:
        key = record.keys[key_node.text]
        inside = _path(key_node.text, path, key)
        inner = record_within(key.type)
        if inner is None or (isinstance(key.type, WordOr) and isinstance(value, Scalar)):
            yield inside, f"`{_shown(value)}`"
            continue
        for each in _records_in(value, key.type):
            yield from _examples(each, inner, inside)


def _records_in(node: Node, wanted: Type) -> Iterator[Node]:
    match node:
        case Sequence():
            yield from node.items
        case MappingNode() if isinstance(wanted, MapOf):
            yield from (value for _, value in node.entries)
        case _:
            yield node


def _shown(node: Node) -> str:
    if isinstance(node, Sequence):
        return f"[{', '.join(map(_shown, node.items))}]"
    assert isinstance(node, Scalar)  # a mapping is a record, and has a section of its own
    return f'"{node.text}"' if node.is_quoted else node.text


def _path(name: str, path: str, key: Key) -> str:
    step = (
        f"{name}.NAME"
        if isinstance(key.type, MapOf)
        else f"{name}[]"
        if isinstance(key.type, ListOf)
        else name
    )
    return f"{path}.{step}" if path else step


def _holds(name: str, path: str, key: Key) -> str:
    match key.type:
        case Kind():
            return key.type.name
        case ListOf(item=Kind(name=kind)):
            return f"list of {kind}"
        case ListOf():
            return f"list of `{_path(name, path, key)}`"
        case MapOf():
            return f"names, each with the keys of `{_path(name, path, key)}`"
        case WordOr():
            return f"{key.type.word.name}, or the keys of `{_path(name, path, key)}`"
        case Record():
            return f"the keys of `{_path(name, path, key)}`"
