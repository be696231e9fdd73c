"""Merges what was learned into a persona file that was edited by hand: only its own lines change.

The file is edited as text, to keep its comments. After the edit, the strict parser must find all other hosts
and services unchanged; otherwise nothing is written.
"""

import textwrap
from dataclasses import replace
from typing import Any

import yaml

from common.config.errors import ConfigErrors
from services.fingerprint.learn import LearnedHost
from services.fingerprint.protocols.interface import Lesson
from services.fingerprint.render import INDENT, host_text, service_text
from services.personas.model import Host, Persona
from services.personas.parse import parse_persona

# These are not visible from outside, so the file's values stay.
_KEPT = ("ttl", "hostname", "users", "files", "kernel", "machine", "system", "domains", "recipients")


class CannotMerge(Exception):
    """The file cannot be edited; the text says why, with a remedy."""


def merge(text: str, file: str, host: LearnedHost, source: str) -> str:
    """Return the file's text with the host's services in it. Raise `ConfigErrors` or `CannotMerge`."""
    before = parse_persona(text, file)
    merged = text if text.endswith("\n") else text + "\n"
    keep_what_is_not_learned(text, host)
    if any(each.name == host.name for each in before.hosts):
        for port, lesson in host.services.items():
            new = service_text(port, lesson.fields, [source, *lesson.remarks])
            merged = _with_service(merged, host.name, port, new, file)
    else:
        lines = merged.splitlines(keepends=True)
        hosts = _entry(_root(merged), "hosts", file)
        addition = textwrap.indent(host_text(host, source), " " * _indent_of(hosts, file))
        lines.insert(_end_of(hosts, lines), addition)
        merged = "".join(lines)
    _check(before, _parsed(merged, file), host, file)
    return merged


def differences_of_host(before: Persona, host: LearnedHost) -> list[str]:
    """Return where the file's entry of a host differs from the real server."""
    old = next((each for each in before.hosts if each.name == host.name), None)
    if old is None:
        return []
    pairs = [
        ("addresses", sorted(map(str, old.addresses)), sorted(map(str, host.addresses))),
        ("closed", old.closed.value, host.closed.value),
        ("ttl", old.ttl, host.ttl),
        ("window", old.window, host.window),
    ]
    found = [
        f"{key} is {there} in the file, but {seen} at the server"
        for key, there, seen in pairs
        if there != seen
    ]
    gone = [port for port in host.shut if port in old.services]
    return [*found, *(f"services.{port} is in the file, but the port has no service now" for port in gone)]


def keep_what_is_not_learned(text: str, host: LearnedHost) -> None:
    """Keep from the file what is not visible from outside."""
    old = yaml.load(text, Loader=yaml.BaseLoader)["hosts"].get(host.name) or {}
    services = old.get("services") or {}
    for port, lesson in host.services.items():
        entry = services.get(str(port)) or {}
        if entry.get("protocol") != lesson.fields["protocol"]:
            continue
        for key in _KEPT:
            if key in entry:
                lesson.fields[key] = entry[key]
                lesson.remarks = [each for each in lesson.remarks if not each.startswith(f"{key}: ")]
        _keep_replies(entry, lesson)


def _keep_replies(entry: dict[str, Any], lesson: Lesson) -> None:
    for key in ("replies", "pages"):
        if isinstance(entry.get(key), dict):
            lesson.fields[key] = {**entry[key], **lesson.fields.get(key, {})}


def _with_service(text: str, host: str, port: int, new: str, file: str) -> str:
    """Return the file's text with `new` as a service of an existing host."""
    lines = text.splitlines(keepends=True)
    entry = _entry(_entry(_root(text), "hosts", file), host, file)
    services = _entry(entry, "services", file)
    found = next((key for key, _ in services.value if key.value == str(port)), None)
    if not services.value:  # `services: {}`
        row = next(key for key, _ in entry.value if key.value == "services").start_mark
        block = " " * row.column + "services:\n" + textwrap.indent(new, " " * (row.column + INDENT))
        lines[row.line] = block
        return "".join(lines)
    new = textwrap.indent(new, " " * _indent_of(services, file))
    if found is None:
        lines.insert(_end_of(services, lines), new)
    else:
        begin = found.start_mark.line
        lines[begin : _end_of_entry(lines, begin)] = [new]
    return "".join(lines)


def _root(text: str) -> yaml.MappingNode:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)  # the strict parser has accepted it
    return root


def _entry(mapping: yaml.MappingNode, name: str, file: str) -> yaml.MappingNode:
    for key, value in mapping.value:
        if key.value == name and isinstance(value, yaml.MappingNode):
            if value.flow_style and value.value:
                raise CannotMerge(
                    f"{file}:{value.start_mark.line + 1}: {name} is written in braces; "
                    "remedy: write it as a block, one key per line, and learn again"
                )
            return value
    raise CannotMerge(f"{file}: has no {name}; remedy: add `{name}:` as a block")


def _keys(mapping: yaml.MappingNode) -> list[str]:
    return [key.value for key, _ in mapping.value]


def _indent_of(mapping: yaml.MappingNode, file: str) -> int:
    if not mapping.value:
        raise CannotMerge(f"{file}: has no entry to add to; remedy: learn into a new file")
    column: int = mapping.value[0][0].start_mark.column
    return column


def _end_of(mapping: yaml.MappingNode, lines: list[str]) -> int:
    """Return the line after the last entry."""
    return _end_of_entry(lines, mapping.value[-1][0].start_mark.line)


def _end_of_entry(lines: list[str], begin: int) -> int:
    """Return the line after an entry, which has all deeper lines except empty ones at its end."""
    indent = len(lines[begin]) - len(lines[begin].lstrip(" "))
    end = begin + 1
    for number in range(begin + 1, len(lines)):
        line = lines[number]
        if line.strip():
            if len(line) - len(line.lstrip(" ")) <= indent:
                break
            end = number + 1
    return end


def _parsed(text: str, file: str) -> Persona:
    try:
        return parse_persona(text, file)
    except ConfigErrors as error:
        raise CannotMerge(
            f"{file}: the edit would break it ({error.errors[0]}); remedy: learn into a new file"
        ) from error


def _check(before: Persona, after: Persona, host: LearnedHost, file: str) -> None:
    """Raise `CannotMerge` if anything changed that was not learned."""
    kept = _others(after, host)
    if host.name not in {each.name for each in before.hosts}:
        kept.pop(host.name, None)
    if _others(before, host) != kept:
        raise CannotMerge(f"{file}: the edit would touch other entries; remedy: learn into a new file")


def _others(persona: Persona, learned: LearnedHost) -> dict[str, Host]:
    found = {}
    for host in persona.hosts:
        if host.name == learned.name:
            kept = {port: each for port, each in host.services.items() if port not in learned.services}
            found[host.name] = replace(host, services=kept)
        else:
            found[host.name] = host
    return found
