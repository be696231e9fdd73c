"""The ledger: what holds, for how long, which decision wins, and what happens when it is full."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from controller.policy.model import Action, Policy
from controller.suspicion.decision import Decision, Scope
from controller.suspicion.ledger import Caps, Ledger
from controller.suspicion.refusals import Guard
from tests.examples import examples
from tests.suspicion.requests import request

SCOPE = Scope(ip_network("198.51.100.66"))


def test_a_decision_holds_until_its_time_is_over(guard: Guard) -> None:
    ledger = Ledger()
    ledger.add(100.0, 0.0, [request(duration_s=60)], guard)
    assert not ledger.expire(159.9).ended
    (ended,) = ledger.expire(160.0).ended
    assert (ended.since, ended.until) == (0.0, 60.0)
    assert ledger.in_force(SCOPE) is None
    assert len(ledger) == 0


def test_one_that_is_renewed_keeps_its_number_and_ends_later(guard: Guard) -> None:
    ledger = Ledger()
    (first,) = ledger.add(0.0, 0.0, [request(duration_s=60)], guard).accepted
    (again,) = ledger.add(30.0, 30.0, [request(duration_s=60)], guard).accepted
    assert again.number == first.number
    assert not ledger.expire(60.0).ended
    assert ledger.expire(90.0).ended


def test_the_wall_clock_decides_nothing(guard: Guard) -> None:
    ledger = Ledger()
    ledger.add(0.0, 5e9, [request(duration_s=60)], guard)
    assert not ledger.expire(59.0).ended
    assert ledger.expire(60.0).ended


def test_of_two_origins_the_stronger_action_holds_and_the_weaker_follows_when_it_ends(guard: Guard) -> None:
    ledger = Ledger()
    ledger.add(
        0.0, 0.0, [request(action=Action.DECOY, origin="a"), request(action=Action.DROP, origin="b")], guard
    )
    winner = ledger.in_force(SCOPE)
    assert winner is not None and winner.request.action is Action.DROP
    ledger.delete([winner.number])
    rest = ledger.in_force(SCOPE)
    assert rest is not None and rest.request.action is Action.DECOY


def test_a_simulated_decision_gives_way_to_any_real_one(guard: Guard) -> None:
    ledger = Ledger()
    simulated = replace(request(action=Action.DROP, origin="a"), is_simulated=True)
    ledger.add(0.0, 0.0, [simulated, request(action=Action.WATCH, origin="b")], guard)
    winner = ledger.in_force(SCOPE)
    assert winner is not None and winner.request.action is Action.WATCH


def test_what_is_good_is_taken_and_what_is_bad_is_named_by_its_place(guard: Guard) -> None:
    outcome = Ledger().add(0.0, 0.0, [request(), request("0.0.0.0/0"), request("198.51.100.67")], guard)
    assert len(outcome.accepted) == 2
    assert [index for index, _ in outcome.refused] == [1]


def test_an_origin_gone_mad_meets_its_cap_and_hurts_no_other(guard: Guard) -> None:
    ledger = Ledger(Caps(per_origin=3))
    outcome = ledger.add(0.0, 0.0, [request(f"198.51.100.{n}", origin="mad") for n in range(10)], guard)
    assert len(outcome.accepted) == 3
    assert "origin mad has 3 decisions" in outcome.refused[0][1].error
    assert ledger.add(0.0, 0.0, [request(origin="calm")], guard).accepted


def test_a_tenant_has_a_cap_of_its_own(guard: Guard) -> None:
    ledger = Ledger(Caps(per_tenant=2))
    requests = [request(f"198.51.100.{n}", tenant="acme") for n in range(4)]
    assert len(ledger.add(0.0, 0.0, requests, guard).accepted) == 2
    assert ledger.add(0.0, 0.0, [request(tenant="globex")], guard).accepted


def test_when_it_is_full_the_least_certain_and_oldest_go_first(guard: Guard) -> None:
    ledger = Ledger(Caps(whole=3))
    confidences = (0.9, 0.2, 0.2)
    ledger.add(0.0, 0.0, [request(f"198.51.100.{n}", confidence=c) for n, c in enumerate(confidences)], guard)
    outcome = ledger.add(1.0, 1.0, [request("198.51.100.9", confidence=0.5)], guard)
    assert outcome.evicted == 1
    assert [each.number for each in outcome.ended] == [2]
    assert ledger.in_force(Scope(ip_network("198.51.100.9")))


def test_when_it_is_full_of_surer_ones_the_newcomer_is_refused(guard: Guard) -> None:
    ledger = Ledger(Caps(whole=2))
    ledger.add(0.0, 0.0, [request(f"198.51.100.{n}", confidence=0.9) for n in range(2)], guard)
    outcome = ledger.add(1.0, 1.0, [request("198.51.100.9", confidence=0.1)], guard)
    assert not outcome.accepted
    assert "maximum of 2 decisions is reached" in outcome.refused[0][1].error


def test_all_ranges_that_cover_a_source_are_found_the_closest_first(guard: Guard) -> None:
    ledger = Ledger()
    ranges = ["198.51.100.0/24", "198.51.100.66", "198.51.0.0/16", "9.9.9.0/24"]
    ledger.add(0.0, 0.0, [request(each) for each in ranges], guard)
    found = [str(each.request.scope.source) for each in ledger.about(ip_address("198.51.100.66"))]
    assert found == ["198.51.100.66/32", "198.51.100.0/24", "198.51.0.0/16"]


def test_decisions_that_a_new_policy_does_not_allow_are_found(policy: Policy, guard: Guard) -> None:
    ledger = Ledger()
    ledger.add(0.0, 0.0, [request("198.51.100.66"), request(tenant="globex")], guard)
    only_acme = replace(policy, tenants=tuple(each for each in policy.tenants if each.name == "acme"))
    (refused,) = ledger.refused_by(Guard(only_acme))
    assert refused.request.scope.tenant == "globex"


def test_numbers_are_not_used_again_after_a_restart(guard: Guard) -> None:
    ledger = Ledger()
    ledger.restore(Decision(41, request(), 0.0, 60.0), 60.0)
    (new,) = ledger.add(0.0, 0.0, [request("198.51.100.67")], guard).accepted
    assert new.number == 42


_SOURCES = [f"198.51.100.{n}" for n in range(6)] + ["198.51.100.0/24", "2001:db8:bad::/64"]
_STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("add"),
            st.sampled_from(_SOURCES),
            st.sampled_from(list(Action)),
            st.sampled_from("ab"),
            st.integers(1, 50),
        ),
        st.tuples(st.just("delete"), st.integers(1, 12)),
        st.tuples(st.just("wait"), st.integers(1, 30)),
    ),
    max_size=40,
)


@given(_STEPS)
@examples(60)
def test_whatever_happens_the_ledger_agrees_with_a_plain_list(
    guard: Guard, steps: list[tuple[object, ...]]
) -> None:
    ledger, plain, now = Ledger(Caps(whole=1_000)), {}, 0.0
    for step in steps:
        if step[0] == "add":
            _, source, action, origin, seconds = step
            asked = request(source, action, origin=origin, duration_s=float(seconds))  # type: ignore[arg-type]
            (made,) = ledger.add(now, now, [asked], guard).accepted
            plain[origin, asked.scope] = (made, now + float(seconds))  # type: ignore[arg-type]
        elif step[0] == "delete":
            ledger.delete([step[1]])  # type: ignore[list-item]
            plain = {key: held for key, held in plain.items() if held[0].number != step[1]}
        else:
            now += float(step[1])  # type: ignore[arg-type]
            ledger.expire(now)
            plain = {key: held for key, held in plain.items() if held[1] > now}
        assert {each.number for each in ledger.by_number.values()} == {
            held[0].number for held in plain.values()
        }
        for scope in {scope for _, scope in plain}:
            best = max(
                (held[0] for (_, other), held in plain.items() if other == scope), key=lambda d: d.rank
            )
            assert ledger.in_force(scope) == best
