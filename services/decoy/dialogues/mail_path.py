"""The address in MAIL and RCPT, parsed like Postfix: also without brackets, but never with spaces inside."""

import re

_PATH = re.compile(r"(?P<word>FROM|TO):\s*(?:<(?P<path>[^>]*)>|(?P<bare>[^\s<>]+))(?P<parameters>.*)", re.I)
_WORDS = {"MAIL": "FROM", "RCPT": "TO"}
_PARAMETERS = {
    "MAIL": ("SIZE", "BODY", "SMTPUTF8", "RET", "ENVID", "AUTH"),
    "RCPT": ("NOTIFY", "ORCPT"),
}


class BadPath(Exception):
    """`reply` is the name of the persona's answer."""

    def __init__(self, reply: str, parameter: str = "") -> None:
        super().__init__(reply)
        self.reply, self.parameter = reply, parameter


def parse_path(verb: str, rest: str, size_limit: int) -> str:
    """Return the address of MAIL or RCPT, empty for `<>`. Raise `BadPath`."""
    found = _PATH.match(rest)
    if found is None or found["word"].upper() != _WORDS[verb]:
        raise BadPath(f"syntax_{verb.lower()}")
    for word in found["parameters"].split():
        name, _, value = word.partition("=")
        if name.upper() not in _PARAMETERS[verb]:
            raise BadPath("bad_parameter", word)
        if name.upper() == "SIZE" and _is_above(value, size_limit):
            raise BadPath("too_big")
    path = found["path"] if found["path"] is not None else found["bare"]
    if re.search(r"\s", path):
        raise BadPath("bad_sender" if verb == "MAIL" else "bad_recipient")
    return path


def _is_above(number: str, limit: int) -> bool:
    return number.isascii() and number.isdigit() and len(number) < 20 and int(number) > limit
