"""What is wrong with ports, in a few lines even if it concerns thousands. Pure."""

from collections.abc import Iterator, Mapping

_MOST_LINES = 5  # of single ports; more are given as ranges
_MOST_RANGES = 20


def describe_ports(names: Mapping[int, str], state: str) -> Iterator[str]:
    """Yield lines about ports in one state, with what is connected to them: `names`, by number."""
    if len(names) <= _MOST_LINES:
        yield from (f"port {port} ({names[port]}) is {state}" for port in sorted(names))
        return
    ranges = list(_ranges(sorted(names)))
    for first, last in ranges[:_MOST_RANGES]:
        yield _describe(names, first, last, state)
    if more := sum(last - first + 1 for first, last in ranges[_MOST_RANGES:]):
        yield f"{more} other ports are {state}"


def _describe(names: Mapping[int, str], first: int, last: int, state: str) -> str:
    if first == last:
        return f"port {first} ({names[first]}) is {state}"
    count = last - first
    others = "1 other" if count == 1 else f"{count} others"
    return f"ports {first}-{last} are {state}: {names[first]} and {others}"


def _ranges(ports: list[int]) -> Iterator[tuple[int, int]]:
    """Yield first and last of each run of consecutive numbers."""
    first = before = ports[0]
    for port in ports[1:]:
        if port != before + 1:
            yield first, before
            first = port
        before = port
    yield first, before
