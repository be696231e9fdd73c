"""Flows and groups in the words of ovs-ofctl(8), taken apart so that faults can change one part."""

import re
from dataclasses import dataclass, replace

_HEAD = re.compile(r"^ *(?:cookie=(0x[0-9a-f]+), )?(?:table=(\d+), )?priority=(\d+),?(\S*) actions=(.*)$")
_GROUP = re.compile(r"^ *group_id=(\d+),(type=\w+),?(.*)$")


@dataclass(frozen=True, slots=True)
class FlowText:
    """One flow: `fields` are the parts of its match, such as `tcp`, `reg0=0x3` and `tp_dst=25`."""

    table: int
    priority: int
    fields: tuple[str, ...]
    actions: str
    cookie: str = "0x0"

    def __str__(self) -> str:
        return f"cookie={self.cookie},{self._key}actions={self.actions}"

    @property
    def _key(self) -> str:
        return f"table={self.table},priority={self.priority}," + "".join(f"{each}," for each in self.fields)

    @property
    def strict_key(self) -> str:
        """Return the argument of `del-flows --strict`."""
        return self._key.rstrip(",")

    def value_of(self, name: str) -> str:
        """Return the value of a field of the match; empty if it has none."""
        values = [each.partition("=")[2] for each in self.fields if each.startswith(f"{name}=")]
        return values[0] if values else ""

    def without(self, field: str) -> "FlowText":
        return replace(self, fields=tuple(each for each in self.fields if each != field))

    def with_value(self, name: str, value: str) -> "FlowText":
        """Return the flow with another value of a field that it matches."""
        fields = tuple(f"{name}={value}" if each.startswith(f"{name}=") else each for each in self.fields)
        return replace(self, fields=fields)


@dataclass(frozen=True, slots=True)
class GroupText:
    number: int
    kind: str
    buckets: tuple[str, ...]

    def __str__(self) -> str:
        buckets = "".join(f",bucket={each}" for each in self.buckets)
        return f"group_id={self.number},{self.kind}{buckets}"


def read_flows(dump: str) -> list[FlowText]:
    """Read `ovs-ofctl dump-flows --no-stats --no-names`."""
    found = [_HEAD.match(line) for line in dump.splitlines() if "actions=" in line]
    return [
        FlowText(
            int(m[2] or 0), int(m[3]), tuple(each for each in m[4].split(",") if each), m[5], m[1] or "0x0"
        )
        for m in found
        if m
    ]


def read_groups(dump: str) -> list[GroupText]:
    """Read `ovs-ofctl dump-groups --no-names`."""
    found = [_GROUP.match(line) for line in dump.splitlines() if "group_id=" in line]
    return [
        GroupText(
            int(m[1]), m[2], tuple(each.strip(",") for each in m[3].split("bucket=") if each.strip(","))
        )
        for m in found
        if m
    ]
