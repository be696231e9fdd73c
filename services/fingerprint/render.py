"""Writes what was learned as YAML for review. All text from servers is ASCII, escaped by YAML."""

import textwrap
from collections.abc import Iterable
from typing import Any

import yaml

from services.fingerprint.compare import quoted_text
from services.fingerprint.learn import LearnedHost

INDENT = 2
_WIDTH = 100
_MOST_REMARKS = 60
_LONGEST_REMARK = 400


class _Dumper(yaml.SafeDumper):
    """Writes lists of words on one line, and keeps the lines of long texts."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent lists below their keys."""
        super().increase_indent(flow, False)


def _list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.Node:
    is_flat = all(isinstance(item, (str, int)) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=is_flat)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text and text.isascii() else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(list, _list)
_Dumper.add_representer(str, _text)


def file_text(tenant: str, host: LearnedHost, source: str) -> str:
    """Return a whole persona file with one host, as it was learned."""
    head = (
        f"# What decoys of {tenant} look like. Learned by postern-persona. Review and edit this file.\n"
        "# Keys: docs/reference/personas.md. How it was learned, and known differences: "
        "docs/personas.md.\n\n"
        f"postern-persona: 1\ntenant: {tenant}\n\nhosts:\n"
    )
    return head + textwrap.indent(host_text(host, source), " " * INDENT)


def host_text(host: LearnedHost, source: str) -> str:
    keys: dict[str, Any] = {
        "addresses": list(map(str, host.addresses)),
        "closed": host.closed.value,
        "ttl": host.ttl,
    }
    if host.window:
        keys["window"] = host.window
    body = comments([source, *host.remarks]) + _dump(keys) + "services:"
    if not host.services:
        return f"{host.name}:\n{textwrap.indent(body, ' ' * INDENT)} {{}}\n"
    services = "".join(
        service_text(port, lesson.fields, [source, *lesson.remarks]) for port, lesson in host.services.items()
    )
    body += "\n" + textwrap.indent(services, " " * INDENT)
    return f"{host.name}:\n{textwrap.indent(body, ' ' * INDENT)}"


def service_text(port: int, fields: dict[str, Any], remarks: list[str]) -> str:
    """Return one entry of `services`. Its comments are inside, so that learning again replaces them."""
    return f"{port}:\n{textwrap.indent(comments(remarks) + _dump(fields), ' ' * INDENT)}"


def comments(remarks: Iterable[str]) -> str:
    lines: list[str] = []
    for remark in list(remarks)[:_MOST_REMARKS]:
        shown = quoted_text(remark, _LONGEST_REMARK)[1:-1].replace('\\"', '"')
        lines += textwrap.wrap(shown, _WIDTH - 2, subsequent_indent="  ", break_on_hyphens=False) or [""]
    return "".join(f"# {line}\n" for line in lines)


def _dump(keys: dict[str, Any]) -> str:
    return yaml.dump(
        keys, Dumper=_Dumper, sort_keys=False, default_flow_style=False, width=_WIDTH, allow_unicode=False
    )
