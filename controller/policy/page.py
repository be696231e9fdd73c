"""The reference of the policy as a page, from the grammar. Pure."""

from collections.abc import Iterator

from controller.policy.grammar import POLICY, Key, ListOf, MapOf, Record, Type
from controller.policy.kinds import Kind

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

## What a mistake looks like

    my.yaml:8:5: tenants.acme.prefixs: unknown key; remedy: use one of prefixes, gateways, mail, services (did you mean prefixes?)

Place, key, what is wrong, what to do. A file with any mistake changes nothing: the last good policy stays.
[`policies/invalid/`](../policies/invalid) has a file for each kind of mistake. Anchors, aliases, tags, tabs and a
second document are refused: a policy says what it says where it says it.

## Names and values

- Names of switches, uplinks, tenants, gateways, services, pools and members: `a-z`, `0-9` and `-`, at most 31.
- A switch port is `SWITCH:PORT`: `s1:4`. Each carries one neighbour.
- Sizes are bytes, or have a unit: `25MiB`. In patterns of mail addresses, `*` stands for any part.
- The order of keys means nothing, but the order of scan rules does: the first one that holds decides.
"""


def build_page() -> str:
    return "\n".join([_HEAD, *_section("The file", "", POLICY)]).rstrip() + "\n"


def _section(title: str, path: str, record: Record) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    yield "| key | holds | meaning | default |"
    yield "| --- | --- | --- | --- |"
    for name, key in record.keys.items():
        default = key.default or ("**required**" if key.is_required else "none")
        yield f"| `{name}` | {_holds(name, path, key)} | {key.means} | {default} |"
    yield ""
    for name, key in record.keys.items():
        inner = _record_of(key.type)
        if inner is not None:
            yield from _section(f"`{_path(name, path, key)}`", _path(name, path, key), inner)


def _path(name: str, path: str, key: Key) -> str:
    step = (
        f"{name}.NAME"
        if isinstance(key.type, MapOf)
        else f"{name}[]"
        if isinstance(key.type, ListOf)
        else name
    )
    return f"{path}.{step}" if path else step


def _record_of(wanted: Type) -> Record | None:
    inner = wanted.item if isinstance(wanted, ListOf | MapOf) else wanted
    return inner if isinstance(inner, Record) else None


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
        case Record():
            return f"the keys of `{_path(name, path, key)}`"
