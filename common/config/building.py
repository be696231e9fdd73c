"""Builds, from records that were read, the types that their grammar names."""

from typing import Any

from common.config.grammar import Key
from common.config.kinds import Kind
from common.config.reading import Fields


def build(value: Any) -> Any:
    """Return a value with each record as its type. An incomplete record inside it is left out."""
    match value:
        case Fields():
            return value.record.into(**arguments(value))
        case tuple():
            return tuple(build(each) for each in value if _is_whole(each))
        case dict():
            return {name: build(each) for name, each in value.items() if _is_whole(each)}
        case _:
            return value


def arguments(fields: Fields) -> dict[str, Any]:
    """Return the values of a record by the field names of its type."""
    keys = fields.record.keys
    values = {
        field_of(name, keys[name]): build(value) for name, value in fields.values.items() if _is_whole(value)
    }
    return {fields.record.name: fields.name, **values} if fields.record.name else values


def field_of(name: str, key: Key) -> str:
    """Return the name of a key's field in the type of its record."""
    return key.field or name + (key.type.unit if isinstance(key.type, Kind) else "")


def _is_whole(value: Any) -> bool:
    return not isinstance(value, Fields) or value.is_whole
