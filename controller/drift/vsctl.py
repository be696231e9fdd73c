"""Words of `ovs-vsctl` (ovs-vsctl(8), Database Values). Pure."""

from typing import Any


def quoted(text: str) -> str:
    """Return a string as ovs-vsctl reads it: escapes are those of JSON."""
    return '"{}"'.format(text.replace("\\", "\\\\").replace('"', '\\"'))


def value_of(value: Any) -> str:
    """Return a column's value, a set as a list and a map as a dict, as ovs-vsctl reads it."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case list():
            return f"[{','.join(map(value_of, value))}]"
        case dict():
            return "{" + ",".join(f"{quoted(str(key))}={value_of(each)}" for key, each in value.items()) + "}"
    return _plain_or_quoted(str(value))


def _plain_or_quoted(text: str) -> str:
    """Words that cannot be mistaken are left as they are, because operators read them, too."""
    is_plain = text.replace("-", "").replace("_", "").isalnum() and text.isascii() and not text.isdigit()
    return text if is_plain and text not in ("true", "false") else quoted(text)
