"""What an edit of the policy changes, in words: each line names the tenant, pool or switch that it concerns.

A member is listed by what becomes of it: it is added, it leaves once its sessions have ended, or it is
removed at once. What is derived (the path of new mail, pools without members) has lines of its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from controller.compiler.impact import troubles_of
from controller.compiler.mail_path import ToPool, ToResponder, Unanswered, Unscanned, way_of
from controller.compiler.network_state import Conditions
from controller.plans.keys import key_of, text_of
from controller.policy.model import Mail, OnEmpty, Policy, Pool, Tenant
from controller.pools.members import MemberState, PoolMember

_APART = {"Policy.places", "Policy.links", "Pool.members"}
_SUBJECTS = {
    "Policy.tenants": "tenant",
    "Policy.pools": "pool",
    "Policy.switches": "switch",
    "Policy.uplinks": "uplink",
}
_LEAVES = "leaves: it gets no new sessions, and stays until its last one has ended"


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """`subject`: what it concerns (`tenant acme`). `text`: what changes about it."""

    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """A policy with leaving members, the conditions under which it is compiled, and its members."""

    policy: Policy
    conditions: Conditions
    members: Mapping[str, PoolMember]  # by path


def changes_between(before: NetworkPolicy, after: NetworkPolicy) -> tuple[PolicyChange, ...]:
    """Return all that changes. `before`: what is in force; `after`: what would be."""
    return (
        *_named_records(before.policy, after.policy),
        *_links(before.policy, after.policy),
        *_members(before, after),
        *_mail_paths(before, after),
        *_troubles(before, after),
    )


def _named_records(before: Policy, after: Policy) -> Iterator[PolicyChange]:
    for field in fields(Policy):
        name = f"Policy.{field.name}"
        old, new = getattr(before, field.name), getattr(after, field.name)
        if name in _APART or old == new:
            continue
        if name not in _SUBJECTS:
            for path, text in _differences(old, new, ""):
                yield PolicyChange(field.name, f"{path}: {text}" if path else text)
            continue
        for path, text in _differences_of_named(old, new, ""):
            who, _, key = path.partition(".")
            yield PolicyChange(f"{_SUBJECTS[name]} {who}", f"{key}: {text}" if key else text)


def _differences(old: Any, new: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield the path of each key that differs, and how."""
    if is_dataclass(old) and type(old) is type(new):
        for field in fields(old):
            name = f"{type(old).__name__}.{field.name}"
            if field.name != "name" and name not in _APART:
                inner = f"{path}.{key_of(type(old), field.name)}".lstrip(".")
                yield from _differences(getattr(old, field.name), getattr(new, field.name), inner)
    elif old == new:
        return
    elif _are_named(old) or _are_named(new):
        yield from _differences_of_named(old, new, path)
    elif is_dataclass(old) or is_dataclass(new):
        yield path, _added(new) if old is None else "removed"
    else:
        yield path, _change(old, new)


def _are_named(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and is_dataclass(value[0]) and hasattr(value[0], "name")


def _differences_of_named(old: Any, new: Any, path: str) -> Iterator[tuple[str, str]]:
    before, after = ({each.name: each for each in records} for records in (old, new))
    for name in sorted(before.keys() | after.keys()):
        inner = f"{path}.{name}".lstrip(".")
        if name not in after:
            yield inner, "removed"
        elif name not in before:
            yield inner, _added(after[name])
        else:
            yield from _differences(before[name], after[name], inner)


def _added(record: Any) -> str:
    if isinstance(record, Tenant | Pool):
        return "added"
    return f"added ({text_of(record)})"


def _change(old: Any, new: Any) -> str:
    if not (isinstance(old, tuple) and isinstance(new, tuple)):
        return f"{text_of(old)} -> {text_of(new)}"
    more = [f"+ {text_of(each)}" for each in new if each not in old]
    less = [f"- {text_of(each)}" for each in old if each not in new]
    return "; ".join([*more, *less]) or "in another order"


def _links(before: Policy, after: Policy) -> Iterator[PolicyChange]:
    old, new = set(before.links), set(after.links)
    for link in sorted(new - old, key=str):
        yield PolicyChange(f"link {link.a} to {link.b}", "added")
    for link in sorted(old - new, key=str):
        yield PolicyChange(f"link {link.a} to {link.b}", "removed")


def _members(before: NetworkPolicy, after: NetworkPolicy) -> Iterator[PolicyChange]:
    old, new = _member_records(before.policy), _member_records(after.policy)
    for path in sorted(old.keys() | new.keys()):
        subject = f"member {path.removeprefix('pools.').replace('.members.', '.')}"
        known, is_leaving = before.members.get(path), path in after.members and after.members[path].is_leaving
        if path not in old:
            yield PolicyChange(subject, _of_new(after.members.get(path)))
        elif path not in new:
            yield PolicyChange(subject, "removed at once: the policy uses its port, MAC or address otherwise"
                               if known and known.has_port else "removed")  # fmt: skip
        elif is_leaving and not (known and known.is_leaving):
            yield PolicyChange(subject, _LEAVES)
        else:
            for key, text in _differences(old[path], new[path], ""):
                yield PolicyChange(subject, f"{key}: {text}")


def _of_new(member: PoolMember | None) -> str:
    if member and member.is_drained:
        return "added; it was drained, and stays so"
    if member and member.state is MemberState.JOINING:
        return "added; it gets sessions once its agent reports that it is healthy"
    return "added"


def _member_records(policy: Policy) -> dict[str, Any]:
    return {f"pools.{p.name}.members.{each.name}": each for p in policy.pools for each in p.members}


def _mail_paths(before: NetworkPolicy, after: NetworkPolicy) -> Iterator[PolicyChange]:
    old = {tenant.name: _new_mail_of(before, tenant.mail) for tenant in before.policy.tenants}
    for tenant in after.policy.tenants:
        now, then = _new_mail_of(after, tenant.mail), old.get(tenant.name, "")
        if now and now != then:
            until_now = f"; until now it {then}" if then else ""
            yield PolicyChange(f"tenant {tenant.name}", f"new mail {now}{until_now}")


def _new_mail_of(network: NetworkPolicy, mail: Mail | None) -> str:
    """Return the predicate of "new mail"; empty: the tenant has none."""
    if mail is None:
        return ""
    match way_of(network.policy, network.conditions, mail):
        case ToPool(pool):
            return f"goes to {pool.name} ({mail.mode})"
        case ToResponder(pool):
            return f"is {'REJECTED' if mail.on_empty is OnEmpty.REJECT else 'deferred'} by {pool.name}"
        case Unscanned():
            return "is delivered UNSCANNED"
        case Unanswered():
            return "gets NO REPLY"


def _troubles(before: NetworkPolicy, after: NetworkPolicy) -> Iterator[PolicyChange]:
    """Yield what would be wrong with pools after the edit, and is not now."""
    known = {(each.pool, line) for each in _all_troubles(before) for line in each.lines}
    for trouble in _all_troubles(after):
        for line in trouble.lines:
            if (trouble.pool, line) not in known:
                yield PolicyChange(f"pool {trouble.pool}", f"becomes {line}")


def _all_troubles(network: NetworkPolicy) -> tuple[Any, ...]:
    return troubles_of(network.policy, network.conditions)
