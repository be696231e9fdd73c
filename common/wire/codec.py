"""Records to JSON and back. Every error in the input is named, with the path of its key.

A record of another format is refused. Keys that this version does not know are ignored and named, so that the
caller can report them; keys that are missing take the record's default (decision 026).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from types import GenericAlias, UnionType
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar, Union, get_args, get_origin

from cattrs import ClassValidationError, Converter, transform_error
from cattrs.dispatch import StructureHook, UnstructureHook
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

from common.wire.values import Address, Limit, Network

Json = dict[str, Any]  # an object of JSON values
_MOST_SHOWN = 10
_NAMES = {str: "a string", int: "a whole number", bool: "true or false"}


class RecordError(Exception):
    """The input is not a valid record. Every error is named; `remedy` may be empty."""

    def __init__(self, mistakes: Sequence[str], remedy: str = "") -> None:
        more = len(mistakes) - _MOST_SHOWN
        super().__init__("; ".join(mistakes[:_MOST_SHOWN]) + (f"; and {more} more" if more > 0 else ""))
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Versioned:
    """A record with a format. `FORMAT` grows only if a reader of the previous one would misread it."""

    FORMAT: ClassVar[int] = 1


R = TypeVar("R", bound=Versioned)


@dataclass(frozen=True)
class Loaded(Generic[R]):
    """A record, and the paths of keys that this version does not know."""

    record: R
    unknown_keys: tuple[str, ...] = ()


def to_media(record: Versioned) -> Json:
    """Return a record as JSON values."""
    return {"format": record.FORMAT, **_converter.unstructure(record)}


def load(kind: type[R], text: str | bytes) -> Loaded[R]:
    """Read a record from JSON text. Raise `RecordError`."""
    try:
        media = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordError([f"not JSON: {error}"]) from error
    record = from_media(kind, media)
    return Loaded(record, unknown_keys(media, record))


def from_media(kind: type[R], media: object) -> R:
    """Read a record from JSON values. Raise `RecordError`."""
    if not isinstance(media, dict):
        raise RecordError(["an object is expected"])
    check_format(kind, media)
    try:
        return _converter.structure(media, kind)
    except ClassValidationError as error:
        found = transform_error(error, path="", format_exception=_in_words)
        raise RecordError(list(map(_with_path_first, found))) from error


def unknown_keys(media: object, record: Versioned) -> tuple[str, ...]:
    """Return the paths of keys that were ignored, because this version does not know them."""
    return tuple(_unknown(media, to_media(record), ""))


def check_format(kind: type[Versioned], media: Mapping[str, object]) -> None:
    """Raise `RecordError` if JSON values are a record of a format that this program does not read.

    A record without a format is of format 1: the first release wrote none into reports.
    """
    found = media.get("format", 1)
    if isinstance(found, bool) or not isinstance(found, int):
        raise RecordError(["format: a whole number is expected"])
    if found != kind.FORMAT:
        older = "the program that reads this" if found > kind.FORMAT else "the program that writes this"
        raise RecordError([f"format: is {found}, this program reads {kind.FORMAT}"], f"upgrade {older}")


def _unknown(media: object, known: object, path: str) -> Iterator[str]:
    """Yield the paths of keys in `media` that are not in `known`, which is the record serialised again."""
    if isinstance(media, dict) and isinstance(known, dict):
        for name, value in media.items():
            if name not in known:
                yield f"{path}{name}"
            else:
                yield from _unknown(value, known[name], f"{path}{name}.")
    elif isinstance(media, list) and isinstance(known, list):
        for number, (value, other) in enumerate(zip(media, known, strict=False)):
            yield from _unknown(value, other, f"{path.removesuffix('.')}[{number}].")


def _with_path_first(mistake: str) -> str:
    """Turn the library's form `what @ .path` into `path: what`."""
    what, _, path = mistake.rpartition(" @ ")
    return f"{path.lstrip('.')}: {what}" if path else what


def _in_words(error: BaseException, _wanted: type | None) -> str:
    return "is missing" if isinstance(error, KeyError) else str(error)


# how each type is read


def _read_strictly(kind: type) -> StructureHook:
    """Return a reader that converts nothing, since JSON has types."""

    def read(value: object, _wanted: type) -> object:
        if type(value) is not kind:
            raise ValueError(f"{_NAMES[kind]} is expected")
        return value

    return read


def _read_choice(meaning_by_word: Mapping[str, object]) -> StructureHook:
    """Return a reader of one of some words."""

    def read(value: object, _wanted: type) -> object:
        if not isinstance(value, str) or value not in meaning_by_word:
            allowed = ", ".join(filter(None, meaning_by_word))
            raise ValueError(f"unknown value {value!r:.60}; allowed: {allowed}")
        return meaning_by_word[value]

    return read


@cache
def _enum_reader(wanted: type[StrEnum]) -> StructureHook:
    return _read_choice({member.value: member for member in wanted})


def _read_number(value: Any, _wanted: type) -> float:
    if type(value) not in (int, float):
        raise ValueError("a number is expected")
    return float(value)


def _read_with(parse: Callable[[str], object]) -> Callable[[object, type], object]:
    def read(value: object, _wanted: type) -> object:
        if not isinstance(value, str):
            raise ValueError("a string is expected")
        return parse(value)

    return read


def _list_reader(wanted: Any) -> StructureHook:
    """Return the reader of a tuple or a frozenset."""
    make: Any = get_origin(wanted)
    items: Any = GenericAlias(list, get_args(wanted)[0])

    def read(value: object, _wanted: type) -> object:
        if not isinstance(value, list):
            raise ValueError("a list is expected")
        return make(_converter.structure(value, items))

    return read


def _mapping_reader(wanted: Any) -> StructureHook:
    pairs: Any = GenericAlias(dict, get_args(wanted))

    def read(value: object, _wanted: type) -> object:
        if not isinstance(value, dict):
            raise ValueError("an object is expected")
        return _converter.structure(value, pairs)

    return read


def _limited_reader(wanted: Any) -> StructureHook:
    kind, *limits = get_args(wanted)
    read: StructureHook = _converter.get_structure_hook(kind)
    for limit in limits:
        read = _with_limit(read, kind, limit)
    return read


def _with_limit(read: StructureHook, kind: Any, limit: Limit) -> StructureHook:
    return lambda value, _: limit.apply(read(value, kind))


def _record_reader(kind: Any) -> StructureHook:
    fill = make_dict_structure_fn(kind, _converter)

    def read(value: Any, wanted: Any) -> object:
        if not isinstance(value, dict):
            raise ValueError("an object is expected")
        return fill(value, wanted)

    return read


def _record_writer(kind: Any) -> UnstructureHook:
    return make_dict_unstructure_fn(kind, _converter)


def _write_sorted(items: Iterable[object]) -> list[str]:
    """Write a set of values that are texts in JSON; the same set gives the same text."""
    return sorted(map(str, items))


def _union_reader(wanted: Any) -> StructureHook:
    """Return the reader of a union of records, which are distinguished by their `kind`."""
    read_kind = _read_choice({_kind_of(record): record for record in get_args(wanted)})

    def read(value: object, _wanted: type) -> object:
        if not isinstance(value, dict):
            raise ValueError("an object is expected")
        record: Any = read_kind(value.get("kind"), wanted)
        return _converter.structure(value, record)

    return read


def _kind_of(record: Any) -> str:
    return next(str(each.default) for each in fields(record) if each.name == "kind")


def _is_union_of_records(wanted: Any) -> bool:
    return get_origin(wanted) in (Union, UnionType) and all(map(_is_record, get_args(wanted)))


def _is_of(origin: object) -> Callable[[Any], bool]:
    return lambda wanted: get_origin(wanted) is origin


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and is_dataclass(kind)


def _build_converter() -> Converter:
    built = Converter(detailed_validation=True)
    for kind in (str, int, bool):
        built.register_structure_hook(kind, _read_strictly(kind))
    built.register_structure_hook(StrEnum, lambda value, wanted: _enum_reader(wanted)(value, wanted))
    built.register_structure_hook(float, _read_number)
    built.register_structure_hook(Address, _read_with(ip_address))
    built.register_structure_hook(Network, _read_with(ip_network))
    built.register_structure_hook(Path, _read_with(Path))
    for written_as_text in (Path, IPv4Address, IPv6Address, IPv4Network, IPv6Network):
        built.register_unstructure_hook(written_as_text, str)
    built.register_structure_hook_factory(_is_record, _record_reader)
    built.register_unstructure_hook_factory(_is_record, _record_writer)
    built.register_structure_hook_factory(_is_union_of_records, _union_reader)
    built.register_structure_hook_factory(_is_of(Annotated), _limited_reader)
    built.register_structure_hook_factory(
        _is_of(Literal), lambda wanted: _read_choice({word: word for word in get_args(wanted)})
    )
    for collection in (tuple, frozenset):
        built.register_structure_hook_factory(_is_of(collection), _list_reader)
    built.register_unstructure_hook_factory(_is_of(frozenset), lambda _: _write_sorted)
    built.register_structure_hook_factory(_is_of(Mapping), _mapping_reader)
    return built


_converter = _build_converter()
