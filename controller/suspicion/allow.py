"""Sources that no decision applies to: allowances always win, on the switch and in explanations."""

from dataclasses import dataclass
from ipaddress import ip_network

from controller.policy.model import Address, Network


@dataclass(frozen=True, slots=True)
class Allowance:
    """`until`: seconds since 1970, UTC; 0: it does not expire."""

    number: int
    source: Network
    comment: str
    since: float
    until: float = 0.0


class AllowList:
    def __init__(self) -> None:
        self._next = 1
        self.by_number: dict[int, Allowance] = {}
        self._deadline: dict[int, float] = {}

    def add(
        self, now: float, utc: float, source: Network, comment: str, duration_s: float = 0.0
    ) -> Allowance:
        """Allow a source. If it is already allowed, replace comment and expiry. No duration: no expiry."""
        known = (number for number, each in self.by_number.items() if each.source == source)
        number = next(known, self._next)
        allowance = Allowance(number, source, comment, utc, utc + duration_s if duration_s else 0.0)
        self.restore(allowance, now + duration_s)
        return allowance

    def restore(self, allowance: Allowance, deadline: float) -> None:
        self.by_number[allowance.number] = allowance
        self._next = max(self._next, allowance.number + 1)
        self._deadline.pop(allowance.number, None)
        if allowance.until:
            self._deadline[allowance.number] = deadline

    def delete(self, number: int) -> Allowance | None:
        self._deadline.pop(number, None)
        return self.by_number.pop(number, None)

    def expire(self, now: float) -> list[Allowance]:
        due = [number for number, deadline in self._deadline.items() if deadline <= now]
        return [gone for number in due if (gone := self.delete(number))]

    def covering(self, source: Address | Network) -> Allowance | None:
        """Return the closest allowance that covers all of a source."""
        network = ip_network(source)
        covering = [each for each in self.by_number.values() if _covers(each.source, network)]
        return max(covering, key=lambda each: each.source.prefixlen, default=None)


def _covers(wide: Network, narrow: Network) -> bool:
    return (
        wide.version == narrow.version
        and wide.prefixlen <= narrow.prefixlen
        and narrow.network_address in wide
    )
