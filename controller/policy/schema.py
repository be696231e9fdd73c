"""The grammar as JSON Schema (draft 2020-12), for editors that complete and underline YAML."""

from typing import Any

from controller.policy.grammar import POLICY, Key, ListOf, MapOf, Record, Type, WordOr
from controller.policy.kinds import NAME, Kind

Schema = dict[str, Any]


def policy_schema() -> Schema:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Postern policy",
        **_schema_of(POLICY),
    }


def _schema_of(wanted: Type) -> Schema:
    match wanted:
        case Kind():
            return dict(wanted.schema)
        case ListOf():
            return {"type": "array", "items": _schema_of(wanted.item), "minItems": wanted.at_least}
        case MapOf():
            most = {} if wanted.at_most is None else {"maxProperties": wanted.at_most}
            return {
                "type": "object",
                "propertyNames": {"pattern": NAME.schema["pattern"]},
                "additionalProperties": _schema_of(wanted.item),
                "minProperties": wanted.at_least,
                **most,
            }
        case WordOr():
            return {"anyOf": [_schema_of(wanted.word), _schema_of(wanted.record)]}
        case Record():
            return {
                "type": "object",
                "additionalProperties": False,
                "properties": {name: _key_schema(key) for name, key in wanted.keys.items()},
                "required": [name for name, key in wanted.keys.items() if key.is_required],
            }


def _key_schema(key: Key) -> Schema:
    default = f" Default: {key.default}." if key.default else ""
    return {"description": f"{key.means}.{default}", **_schema_of(key.type)}
