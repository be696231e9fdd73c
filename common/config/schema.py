"""A grammar as JSON Schema (draft 2020-12), for editors that complete and check YAML."""

from typing import Any

from common.config.grammar import Document, Key, ListOf, MapOf, PairOf, Record, Type, Variants, WordOr
from common.config.kinds import Kind

Schema = dict[str, Any]


def build_schema(document: Document) -> Schema:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": document.title,
        **_schema_of(document.record),
    }


def _schema_of(wanted: Type) -> Schema:
    match wanted:
        case Kind():
            return dict(wanted.schema)
        case ListOf():
            most = {} if wanted.at_most is None else {"maxItems": wanted.at_most}
            return {
                "type": "array",
                "items": _schema_of(wanted.item),
                "minItems": wanted.at_least,
                **most,
            }
        case PairOf():
            pair = [_schema_of(wanted.first), _schema_of(wanted.second)]
            return {"type": "array", "prefixItems": pair, "minItems": 2, "maxItems": 2}
        case MapOf():
            return _schema_of_map(wanted)
        case WordOr():
            return {"anyOf": [_schema_of(wanted.word), _schema_of(wanted.other)]}
        case Variants():
            return {"anyOf": [_schema_of(record) for record in wanted.records]}
        case Record():
            return {
                "type": "object",
                "additionalProperties": False,
                "properties": {name: _key_schema(key) for name, key in wanted.keys.items()},
                "required": [name for name, key in wanted.keys.items() if key.is_required],
            }


def _schema_of_map(wanted: MapOf) -> Schema:
    """Names are texts in JSON, even numeric ones, so only their pattern can be given."""
    pattern = wanted.names.schema.get("pattern")
    most = {} if wanted.at_most is None else {"maxProperties": wanted.at_most}
    return {
        "type": "object",
        **({"propertyNames": {"pattern": pattern}} if pattern else {}),
        "additionalProperties": _schema_of(wanted.item),
        "minProperties": wanted.at_least,
        **most,
    }


def _key_schema(key: Key) -> Schema:
    absent = key.otherwise if key.default is None else key.default
    default = f" Default: {absent}." if absent else ""
    return {"description": f"{key.means}.{default}", **_schema_of(key.type)}
