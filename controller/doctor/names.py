"""Names: whether this machine's own name resolves, and whether name lookups are slow.

The lab and the programs of the edge look up no names, but other programs on the machine do.
"""

import shlex
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from controller.doctor.finding import Finding
from controller.doctor.system import Timed, timed

_WITHIN_S = 10.0
_SLOW_S = 1.0
_NAME_OF_NOBODY = "postern-doctor.invalid"  # RFC 6761, 6.4: every resolver may answer at once


@dataclass(frozen=True, slots=True)
class NameFacts:
    own_name: str
    own: Timed
    nobodys: Timed


def look() -> NameFacts:
    own_name = socket.gethostname()
    with ThreadPoolExecutor() as askers:  # both may wait for the same resolver
        own, nobodys = askers.map(_ask, (own_name, _NAME_OF_NOBODY))
    return NameFacts(own_name, own, nobodys)


def _ask(name: str) -> Timed:
    return timed("getent", "ahosts", name, within_s=_WITHIN_S)


def judge(facts: NameFacts) -> Iterator[Finding]:
    yield _judge_own(facts)
    took = _in_words(facts.nobodys)
    if facts.nobodys.seconds <= _SLOW_S:
        yield Finding("resolver", took)
        return
    yield Finding(
        "resolver",
        f"{took} for a name that does not exist",
        "write a name server that answers into /etc/resolv.conf",
        "delays: packages, feeds and ClamAV's own signatures are fetched by name; "
        "the edge itself looks up no names",
    )


def _judge_own(facts: NameFacts) -> Finding:
    took = _in_words(facts.own)
    if facts.own.has_succeeded and facts.own.seconds <= _SLOW_S:
        return Finding("own name", f"{facts.own_name} resolves; the resolver {took}")
    verb = "resolves" if facts.own.has_succeeded else "does not resolve"
    line = shlex.quote(f"127.0.1.1 {facts.own_name}")
    return Finding(
        "own name",
        f"{facts.own_name} {verb}; the resolver {took}",
        f"echo {line} | sudo tee -a /etc/hosts",
        "delays: sudo, swaks, Postfix and others look up this name, and wait for the answer"
        if facts.own.seconds > _SLOW_S
        else "no delay yet: each sudo prints a warning, and waits if the resolver becomes slow",
    )


def _in_words(asked: Timed) -> str:
    if asked.seconds >= _WITHIN_S:
        return f"does not answer within {_WITHIN_S:.0f} s"
    return f"answers within {asked.seconds:.1f} s" if asked.seconds > 0.1 else "answers at once"
