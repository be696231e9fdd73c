"""The keys of the policy behind fields of its model, and values as an operator writes them. Pure."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, get_type_hints

from common.config.building import field_of
from common.config.grammar import Record, Type, records_within
from controller.policy.grammar import POLICY


def key_of(model: type, field: str) -> str:
    """Return the key of a field as it is written in the policy: `limit_per_second` for `limit_per_s`."""
    return _key_by_field().get((model.__name__, field), field)


def text_of(value: object) -> str:
    """Return a value in words: texts and numbers as they are, records as `key value, key value`."""
    match value:
        case None | "" | ():
            return "none"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case tuple() | frozenset():
            return ", ".join(map(text_of, value))
        case Mapping():
            return ", ".join(f"{key} {text_of(each)}" for key, each in value.items()) or "none"
    if is_dataclass(value) and not _has_own_text(value):
        return ", ".join(_parts(value))
    return str(value)


def _has_own_text(value: object) -> bool:
    return type(value).__str__ is not object.__str__


def _parts(record: Any) -> Iterator[str]:
    for field in fields(record):
        value = getattr(record, field.name)
        if field.name != "name" and value not in (None, "", (), 0, False):
            inner = text_of(value)
            is_record = is_dataclass(value) and not _has_own_text(value)
            yield f"{key_of(type(record), field.name)} {f'({inner})' if is_record else inner}"


@cache
def _key_by_field() -> Mapping[tuple[str, str], str]:
    return {
        (model.__name__, field): key
        for record in _records(POLICY, set())
        if (model := _model_of(record))
        for key, field in _keys_of(record, "")
    }


def _records(wanted: Type, known: set[int]) -> Iterator[Record]:
    for record in records_within(wanted):
        if id(record) not in known:
            known.add(id(record))
            yield record
            for key in record.keys.values():
                yield from _records(key.type, known)


def _keys_of(record: Record, path: str) -> Iterator[tuple[str, str]]:
    """Yield each key with its field, also those of records without a type of their own inside it."""
    for name, key in record.keys.items():
        yield f"{path}{name}", field_of(name, key)
        for inner in records_within(key.type):
            if inner.into is dict:
                yield from _keys_of(inner, f"{path}{name}.")


def _model_of(record: Record) -> Any:
    """Return the class that the values of a record make up; None: it has none."""
    into = getattr(record.into, "func", record.into)
    if inspect.isfunction(into):
        return get_type_hints(into).get("return")
    return into if is_dataclass(into) else None
