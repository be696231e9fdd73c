"""The ledger: all current decisions, and for each scope the one in force.

It is bounded: each origin and each tenant has a cap, and when the ledger is full, the
least certain and oldest decisions are removed. There are two clocks: `now` is monotonic
and decides on expiry; `utc` is only for display.
"""

from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from ipaddress import ip_network
from typing import TypeVar

from controller.policy.model import Address, Network
from controller.suspicion.decision import Decision, Request, Scope
from controller.suspicion.refusals import Guard, Refusal

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Caps:
    whole: int = 150_000
    per_origin: int = 120_000
    per_tenant: int = 50_000


@dataclass(frozen=True, slots=True)
class LedgerOutcome:
    """`changed`: scopes whose decision in force may have changed, each once."""

    accepted: tuple[Decision, ...]
    refused: tuple[tuple[int, Refusal], ...]  # index of the request, reason
    ended: tuple[Decision, ...]
    evicted: int
    changed: tuple[Scope, ...]


def join_outcomes(batches: Iterable[tuple[int, LedgerOutcome]]) -> LedgerOutcome:
    """Return the outcome of all batches of requests; each comes with the index of its first request."""
    whole = _Changes()
    for first, outcome in batches:
        whole.accepted += outcome.accepted
        whole.refused += [(first + index, refusal) for index, refusal in outcome.refused]
        whole.ended += outcome.ended
        whole.evicted += outcome.evicted
        whole.changed.update(dict.fromkeys(outcome.changed))
    return whole.outcome()


@dataclass(slots=True)
class _Changes:
    """An outcome while it grows."""

    accepted: list[Decision] = field(default_factory=list)
    refused: list[tuple[int, Refusal]] = field(default_factory=list)
    ended: list[Decision] = field(default_factory=list)
    evicted: int = 0
    changed: dict[Scope, None] = field(default_factory=dict)

    def outcome(self) -> LedgerOutcome:
        return LedgerOutcome(
            tuple(self.accepted),
            tuple(self.refused),
            tuple(self.ended),
            self.evicted,
            tuple(self.changed),
        )


class Ledger:
    def __init__(self, caps: Caps = Caps(), first_number: int = 1) -> None:
        self.caps = caps
        self._next = first_number
        self.by_number: dict[int, Decision] = {}
        self._deadline: dict[int, float] = {}
        self._by_key: dict[tuple[str, Scope], int] = {}
        self._by_scope: dict[Scope, tuple[int, ...]] = {}
        self._by_source: dict[Network, tuple[int, ...]] = {}
        self._lengths: Counter[tuple[int, int]] = Counter()  # (family, prefix length) in use
        self._count_by_origin: Counter[str] = Counter()
        self._count_by_tenant: Counter[str] = Counter()
        self._expiry: list[tuple[float, int]] = []
        self._weakest: list[tuple[float, int]] = []  # (confidence, number): numbers grow with time

    def __len__(self) -> int:
        return len(self.by_number)

    def in_force(self, scope: Scope, without: Container[int] = ()) -> Decision | None:
        """Return the decision in force for a scope; `without`: numbers of decisions that do not count."""
        numbers = [number for number in self._by_scope.get(scope, ()) if number not in without]
        return max((self.by_number[number] for number in numbers), key=lambda each: each.rank, default=None)

    def scopes(self) -> Iterable[Scope]:
        return self._by_scope.keys()

    def about(self, source: Address | Network) -> list[Decision]:
        """Return the decisions whose range covers a source, the closest first."""
        network = ip_network(source)
        lengths = sorted(
            (length for family, length in self._lengths if family == network.version), reverse=True
        )
        found = []
        for length in lengths:
            if length <= network.prefixlen:
                wide = network.supernet(new_prefix=length)
                found += [self.by_number[number] for number in self._by_source.get(wide, ())]
        return found

    def of_origin(self, origin: str) -> list[Decision]:
        return [each for each in self.by_number.values() if each.request.origin == origin]

    def add(self, now: float, utc: float, requests: Iterable[Request], guard: Guard) -> LedgerOutcome:
        """Add decisions. One with the same origin and scope is renewed, and keeps its number."""
        changes = _Changes()
        for index, request in enumerate(requests):
            refusal = guard.refusal(request) or self._cap(request, changes)
            if refusal:
                changes.refused.append((index, refusal))
                continue
            number = self._by_key.get((request.origin, request.scope)) or self._number()
            decision = Decision(number, request, utc, utc + request.duration_s)
            self.restore(decision, now + request.duration_s)
            changes.accepted.append(decision)
            changes.changed[request.scope] = None
        return changes.outcome()

    def restore(self, decision: Decision, deadline: float) -> None:
        """Add a stored decision under its number; it ends at `deadline` of the monotonic clock."""
        number, request = decision.number, decision.request
        if number not in self.by_number:
            self._index(number, request)
        self.by_number[number] = decision
        self._deadline[number] = deadline
        self._next = max(self._next, number + 1)
        heappush(self._expiry, (deadline, number))
        heappush(self._weakest, (request.confidence, number))

    def delete(self, numbers: Iterable[int]) -> LedgerOutcome:
        changes = _Changes()
        for number in numbers:
            self._remove(number, changes)
        return changes.outcome()

    def expire(self, now: float) -> LedgerOutcome:
        changes = _Changes()
        while self._expiry and self._expiry[0][0] <= now:
            deadline, number = heappop(self._expiry)
            if self._deadline.get(number) == deadline:  # otherwise it was renewed, or is gone
                self._remove(number, changes)
        return changes.outcome()

    def refused_by(self, guard: Guard) -> tuple[Decision, ...]:
        """Return the decisions that a new policy no longer allows."""
        return tuple(each for each in self.by_number.values() if guard.refusal(each.request))

    def _number(self) -> int:
        self._next += 1
        return self._next - 1

    def _cap(self, request: Request, changes: _Changes) -> Refusal | None:
        if (request.origin, request.scope) in self._by_key:
            return None
        if self._count_by_origin[request.origin] >= self.caps.per_origin:
            return Refusal(
                f"origin {request.origin} has {self.caps.per_origin} decisions, its maximum",
                "delete some, or raise `suspicion.caps.origin`",
            )
        tenant = request.scope.tenant
        if tenant and self._count_by_tenant[tenant] >= self.caps.per_tenant:
            return Refusal(
                f"tenant {tenant} has {self.caps.per_tenant} decisions, its maximum",
                "delete some, or raise `suspicion.caps.tenant`",
            )
        if len(self.by_number) >= self.caps.whole and not self._make_room(request, changes):
            return Refusal(
                f"the maximum of {self.caps.whole} decisions is reached, and all of them are more certain",
                "delete some, or raise `suspicion.caps.whole`",
            )
        return None

    def _make_room(self, request: Request, changes: _Changes) -> bool:
        """End the oldest of the least certain decisions, unless all are more certain than the new one."""
        while self._weakest:
            confidence, number = self._weakest[0]
            decision = self.by_number.get(number)
            if decision is None or decision.request.confidence != confidence:
                heappop(self._weakest)  # gone, or renewed with another confidence
                continue
            if confidence > request.confidence:
                return False
            heappop(self._weakest)
            self._remove(number, changes)
            changes.evicted += 1
            return True
        return False

    def _index(self, number: int, request: Request) -> None:
        scope = request.scope
        self._by_key[request.origin, scope] = number
        self._by_scope[scope] = (*self._by_scope.get(scope, ()), number)
        self._by_source[scope.source] = (*self._by_source.get(scope.source, ()), number)
        self._lengths[scope.source.version, scope.source.prefixlen] += 1
        self._count_by_origin[request.origin] += 1
        self._count_by_tenant[scope.tenant] += 1

    def _remove(self, number: int, changes: _Changes) -> None:
        decision = self.by_number.pop(number, None)
        if decision is None:
            return
        request, scope = decision.request, decision.request.scope
        del self._deadline[number], self._by_key[request.origin, scope]
        _drop(self._by_scope, scope, number)
        _drop(self._by_source, scope.source, number)
        length = scope.source.version, scope.source.prefixlen
        self._lengths[length] -= 1
        if not self._lengths[length]:
            del self._lengths[length]
        self._count_by_origin[request.origin] -= 1
        self._count_by_tenant[scope.tenant] -= 1
        changes.ended.append(decision)
        changes.changed[scope] = None


def _drop(numbers_by: dict[K, tuple[int, ...]], key: K, number: int) -> None:
    left = tuple(each for each in numbers_by[key] if each != number)
    if left:
        numbers_by[key] = left
    else:
        del numbers_by[key]
