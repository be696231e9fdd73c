"""The state for which a plan was made, and what has moved since. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b

from common.wire.plans import PlannedState, PlannedSwitch
from controller.compiler.network_state import Conditions
from controller.plans.switches import SwitchPlan
from controller.pools.members import MemberState, PoolMember
from controller.sync.strays import Stray

_MOST_NAMED = 20
_REMEDY = "; remedy: see postern drift, and plan again"


class PlanOutdated(Exception):
    """The state has moved on since the plan was made; `moved` says what, one text each."""

    def __init__(self, moved: tuple[str, ...]) -> None:
        super().__init__("\n".join(moved))
        self.moved = moved


def digest_of(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def planned_state(
    revision: int,
    text: str,
    conditions: Mapping[str, str],
    switches: Iterable[SwitchPlan],
    words: Callable[[Stray], str],
) -> PlannedState:
    """Return the state for which a plan is made. `text`: the policy that would be accepted."""
    return PlannedState(
        revision,
        digest_of(text),
        conditions,
        {
            each.switch: PlannedSwitch(
                each.is_known,
                each.digest,
                str(each.policy),
                len(each.strays),
                each.digest_of_strays,
                tuple(map(words, each.strays[:_MOST_NAMED])),
                len(each.settings.put_back),
                each.settings.digest,
                tuple(setting.said for setting in each.settings.put_back[:_MOST_NAMED]),
            )
            for each in switches
        },
    )


def conditions_in_words(conditions: Conditions, members: Iterable[PoolMember]) -> dict[str, str]:
    """Return what is not as usual: members that do not take sessions as written, trunks, pools."""
    words = {}
    for member in members:
        share = conditions.shares.get(member.path, member.weight)
        if member.state is not MemberState.UP or share != member.weight:
            takes = f"has weight {share}" if share else "gets no new sessions"
            words[f"member {member.pool}.{member.name}"] = f"is {member.state} and {takes}"
    words |= {f"port {end}": "is down, or does not lead where the policy says" for end in conditions.broken}
    words |= {f"pool {name}": "has no room for new sessions" for name in conditions.unready}
    return dict(sorted(words.items()))


def what_moved(then: PlannedState, now: PlannedState) -> tuple[str, ...]:
    """Return what has moved since a plan was made; empty: it would do now what it would have done then."""
    moved = []
    if then.policy != now.policy:
        moved.append("the policy in the plan is not the one that it was made for; remedy: postern plan again")
    if then.revision != now.revision:
        moved.append(f"revision {now.revision} is in force, and the plan was made for {then.revision}")
    moved += _of_switches(then.switches, now.switches)
    both = then.switches.keys() & now.switches.keys()
    differing = {name for name in both if then.switches[name].sends != now.switches[name].sends}
    if differing:
        moved += _of_conditions(then.conditions, now.conditions)
    for name in sorted(differing):
        old, new = then.switches[name], now.switches[name]
        text = f"{name} would now be sent {new.text}"
        moved.append(f"{text}, and not {old.text}" if old.text != new.text else f"{text}, but other ones")
    return tuple(moved)


def _of_switches(then: Mapping[str, PlannedSwitch], now: Mapping[str, PlannedSwitch]) -> Iterator[str]:
    for name in sorted(then.keys() | now.keys()):
        if name not in now or name not in then:
            yield f"switch {name} is {'no longer' if name in then else 'now'} part of the plan"
        elif then[name].is_known != now[name].is_known:
            state = "connected" if now[name].is_known else "not connected, or not yet read"
            yield f"switch {name} is now {state}"
        else:
            yield from _of_others(name, then[name], now[name])


def _of_others(name: str, then: PlannedSwitch, now: PlannedSwitch) -> Iterator[str]:
    """Yield what others have changed since, or what was put right since."""
    if _strays(then) != _strays(now):
        yield _of_strays(name, then, now)
    if (then.settings, then.settings_digest) != (now.settings, now.settings_digest):
        before = f"and {_counted(then.settings)} when this was planned"
        text = f"{_counted(now.settings)} of {name} would be put back, {before}"
        yield f"{text}{_examples(then.settings_texts, now.settings_texts)}{_REMEDY}"


def _strays(each: PlannedSwitch) -> tuple[int, str]:
    return each.strays, each.strays_digest


def _of_strays(name: str, then: PlannedSwitch, now: PlannedSwitch) -> str:
    """Return what others have changed since, with one example of each kind."""
    before = f"and in {places(then.strays)} when this was planned"
    text = f"others have changed {name} in {places(now.strays)}, {before}"
    return f"{text}{_examples(then.strays_texts, now.strays_texts)}{_REMEDY}"


def _examples(then: Sequence[str], now: Sequence[str]) -> str:
    new = next((each for each in now if each not in then), "")
    old = next((each for each in then if each not in now), "")
    return (f"; new: {new}" if new else "") + (f"; no longer there: {old}" if old else "")


def _counted(settings: int) -> str:
    return {0: "no setting", 1: "one setting"}.get(settings, f"{settings} settings")


def places(count: int) -> str:
    return {0: "no place", 1: "one place"}.get(count, f"{count} places")


def _of_conditions(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    changed = [name for name in sorted(then.keys() | now.keys()) if then.get(name) != now.get(name)]
    for name in changed[:_MOST_NAMED]:
        yield f"{name} {now.get(name, 'is as usual')}; then it {then.get(name, 'was as usual')}"
    if len(changed) > _MOST_NAMED:
        yield f"and {len(changed) - _MOST_NAMED} more"
