"""What commands say about decisions, the allow-list and rules is what the switch has just said."""

from controller.ids import cookie_of
from tests.api.conftest import Northbound
from tests.cli.conftest import Postern

MAIL = "tenants.acme.mail"
SERVER = f"{MAIL}.servers.203.0.113.10"


def lose(controller: Northbound, rule: str) -> None:
    """Delete the flows of a rule, a decision or an allowance on the switch, by hand."""
    assert controller.channel is not None
    flows = controller.channel.switch.tables.flows
    for key in [key for key, flow in flows.items() if flow.cookie == cookie_of(rule)]:
        del flows[key]


def test_a_decision_that_the_switch_has_lost_is_shown_so_everywhere(
    postern: Postern, controller: Northbound
) -> None:
    added = postern("decisions", "add", "198.51.100.66", "--action", "decoy")
    assert added.code == 0
    assert "s1: installed, 0 packets, 0 bytes, for 0:00:00, cookie 0x9058000000000001" in added.out
    assert "installed, 0 packets" in postern("decisions", "list").out
    lose(controller, "decisions.1")
    for words in (["decisions", "show", 1], ["decisions", "list"], ["explain", "198.51.100.66"],
                  ["explain", "decisions.1"], ["explain", "0x9058000000000001"]):  # fmt: skip
        answer = postern(*words)
        assert answer.code == 1, words
        assert "NOT INSTALLED" in answer.out, words
        assert "s1: installed" not in answer.out, words


def test_an_allowance_that_the_switch_has_lost_is_shown_so(postern: Postern, controller: Northbound) -> None:
    added = postern("allow", "add", "198.51.100.0/24", "--comment", "ours")
    assert (added.code, "s1: installed, 0 packets" in added.out) == (0, True)
    lose(controller, "allow.1")
    for words in (["allow", "list"], ["explain", "198.51.100.66"]):
        answer = postern(*words)
        assert (answer.code, "NOT INSTALLED" in answer.out) == (1, True), words
    assert "removed from every switch: " in postern("allow", "delete", 1).out


def test_a_rule_that_the_switch_has_lost_is_shown_so(postern: Postern, controller: Northbound) -> None:
    good = postern("explain", MAIL)
    assert (good.code, "s1: installed, " in good.out) == (0, True)
    lose(controller, SERVER)
    answer = postern("explain", MAIL)
    assert answer.code == 1
    assert "s1: NOT INSTALLED: " in answer.out
    assert "not installed, packets unknown" in answer.out


def test_flows_can_be_listed_with_their_counters(postern: Postern, controller: Northbound) -> None:
    good = postern("flows", "s1", "--counts")
    assert (good.code, good.out.splitlines()[0]) == (0, "s1:")
    assert all(line.startswith("  installed ") for line in good.out.splitlines()[1:])
    lose(controller, SERVER)
    bad = postern("flows", "--counts")
    assert (bad.code, "  not installed  packets unknown" in bad.out) == (1, True)
    assert postern("flows", "s9", "--counts").err.startswith("no switch s9; remedy: ")


def test_a_switch_that_is_away_confirms_nothing(postern: Postern, controller: Northbound) -> None:
    postern("decisions", "add", "198.51.100.66", "--action", "drop")
    assert controller.channel is not None
    controller.world.disconnect(1, controller.channel)
    answer = postern("decisions", "show", 1)
    assert (answer.code, "s1: UNKNOWN: it is not connected" in answer.out) == (1, True)
