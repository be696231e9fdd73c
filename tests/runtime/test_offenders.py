"""Who has offended before is known for it, also to a controller that was started anew."""

from ipaddress import ip_address, ip_network

from controller.runtime.commands.suspicion import EndDecisions, ReportEvidence
from controller.suspicion.decision import Decision
from controller.suspicion.scores import Evidence
from tests.world import UTC, World

SOURCE, PARTY = ip_address("198.51.100.66"), ip_network("198.51.100.66")
HOUR_S, DAY_S = 3_600.0, 86_400.0


def started(world: World) -> World:
    world.start()
    return world


def offend(world: World) -> Decision:
    """Log in at a decoy; return the decision that follows."""
    before = set(world.core.suspicion.ledger.by_number)
    world.handle(ReportEvidence((Evidence("decoy-login", SOURCE),)))
    (number,) = set(world.core.suspicion.ledger.by_number) - before
    return world.core.suspicion.ledger.by_number[number]


def test_a_second_offence_lasts_longer_though_the_controller_was_started_anew() -> None:
    first = started(World())
    assert offend(first).request.duration_s == HOUR_S
    again = started(World(first.store, UTC + 2 * HOUR_S))
    assert offend(again).request.duration_s == 2 * HOUR_S


def test_a_decision_that_holds_over_a_restart_is_not_made_a_second_time() -> None:
    first = started(World())
    offend(first)
    again = started(World(first.store, UTC + 60))
    again.handle(ReportEvidence((Evidence("decoy-login", SOURCE),)))
    assert len(again.core.suspicion.ledger) == 1


def test_who_behaves_for_a_quarter_of_a_year_is_forgotten() -> None:
    first = started(World())
    offend(first)
    again = started(World(first.store, UTC + 91 * DAY_S))
    assert first.store.kept_offenders == {}
    assert offend(again).request.duration_s == HOUR_S


def test_who_was_pardoned_is_no_offender() -> None:
    world = started(World())
    decision = offend(world)
    assert PARTY in world.store.kept_offenders
    world.handle(EndDecisions((decision.number,)))
    assert world.store.kept_offenders == {}


def test_a_disk_that_refuses_is_told_of_and_the_decision_holds() -> None:
    world = started(World())
    world.store.failure = "disk full"
    assert offend(world).request.duration_s == HOUR_S
    assert world.events("DecisionsNotStored")
