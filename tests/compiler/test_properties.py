"""Whatever is edited, in whatever order: plans add up to one fresh compile."""

import itertools
from dataclasses import dataclass
from random import Random
from typing import Any

import hypothesis
import yaml
from hypothesis import strategies as st

from controller.compiler.compile import compile_policy
from controller.openflow.encode import encode_bundle, to_wire
from controller.pipeline.flows import Flow, SwitchState
from controller.policy.parse import parse_policy
from controller.sync.plan import Plan, difference
from controller.sync.state import WireState
from tests.compiler.conftest import POLICIES
from tests.examples import examples

Data = dict[str, Any]  # of a YAML file


@dataclass(frozen=True)
class Edit:
    name: str

    def apply(self, data: Data) -> None:
        globals()[f"_{self.name}"](data)


def _drop_globex(data: Data) -> None:
    data["tenants"].pop("globex", None)


def _acme_direct(data: Data) -> None:
    mail = data["tenants"]["acme"]["mail"]
    mail["mode"] = "direct"
    mail.pop("proxies", None)
    mail.pop("scan", None)


def _acme_server_moved(data: Data) -> None:
    data["tenants"]["acme"]["mail"]["servers"] = ["203.0.113.11"]


def _acme_prefix_grown(data: Data) -> None:
    data["tenants"]["acme"]["prefixes"].append("198.18.0.0/24")


def _proxy2_gone(data: Data) -> None:
    data["pools"]["proxies"]["members"].pop("proxy2", None)


def _proxy1_heavier(data: Data) -> None:
    data["pools"]["proxies"]["members"]["proxy1"]["weight"] = 7


def _scanner_added(data: Data) -> None:
    data["pools"]["scanners"]["members"]["scanner3"] = {
        "at": "s1:19",
        "mac": "02:dd:00:00:00:03",
        "addresses": ["192.0.2.23"],
    }


def _web_closed(data: Data) -> None:
    data["tenants"]["acme"].pop("services", None)


EDITS = [
    Edit(name[1:])
    for name in list(globals())
    if name.startswith("_") and name.count("_") >= 2 and name[1] != "_"
]


def compiled(data: Data) -> SwitchState:
    return compile_policy(parse_policy(yaml.safe_dump(data), "p.yaml"))["s1"]


def applied(plan: Plan, installed: WireState) -> WireState:
    """Return what a switch holds after a plan (the real one agrees: tests/ovs/test_sync.py)."""
    flows = {key: flow for key, flow in installed.flows.items() if flow not in plan.deleted_flows}
    flows |= {flow.key: flow for flow in plan.put_flows}
    dead = {group.group_id for group in plan.deleted_groups}
    groups = {number: group for number, group in installed.groups.items() if number not in dead}
    groups |= {group.group_id: group for group in (*plan.new_groups, *plan.changed_groups)}
    stopped = {meter.meter_id for meter in plan.deleted_meters}
    meters = {number: meter for number, meter in installed.meters.items() if number not in stopped}
    meters |= {meter.meter_id: meter for meter in (*plan.new_meters, *plan.changed_meters)}
    return WireState(flows, groups, meters=meters)


def fresh() -> Data:
    data: Data = yaml.safe_load((POLICIES / "demo.yaml").read_text(encoding="utf-8"))
    return data


def test_there_are_edits_of_every_kind() -> None:
    assert len(EDITS) == 8


@hypothesis.given(st.lists(st.sampled_from(EDITS), max_size=6, unique=True))
@examples(25)
def test_any_sequence_of_edits_applied_as_plans_equals_one_fresh_compile(edits: list[Edit]) -> None:
    data = fresh()
    installed = to_wire(compiled(data))
    for edit in edits:
        edit.apply(data)
        desired = to_wire(compiled(data))
        installed = applied(difference(desired, installed), installed)
        assert installed == desired
    assert difference(to_wire(compiled(data)), installed).is_empty


@hypothesis.given(st.sampled_from(EDITS))
@examples(8)
def test_an_edit_and_its_reversal_equal_nothing(edit: Edit) -> None:
    data = fresh()
    edit.apply(data)
    before, after = to_wire(compiled(fresh())), to_wire(compiled(data))
    assert applied(difference(before, after), applied(difference(after, before), before)) == before


@hypothesis.given(st.lists(st.sampled_from(EDITS), min_size=2, max_size=2, unique=True))
@examples(16)
def test_what_an_edit_leaves_alone_is_not_encoded_again_and_the_bytes_are_the_same(
    edits: list[Edit],
) -> None:
    data = fresh()
    edits[0].apply(data)
    before = compiled(data)
    edits[1].apply(data)
    after, old = compiled(data), to_wire(before)
    wire = to_wire(after, (before, old))
    assert wire == to_wire(after)
    assert all(wire.flows[key] is flow for key, flow in old.flows.items() if wire.flows.get(key) == flow)


def test_an_unchanged_policy_needs_no_plan() -> None:
    assert difference(to_wire(compiled(fresh())), to_wire(compiled(fresh()))).is_empty


def _shuffled(thing: object, random: Random) -> object:
    """Return the same YAML with the keys of every mapping in another order."""
    if isinstance(thing, dict):
        keys = random.sample(sorted(thing), len(thing))
        return {key: _shuffled(thing[key], random) for key in keys}
    return [_shuffled(item, random) for item in thing] if isinstance(thing, list) else thing


@hypothesis.given(st.randoms(use_true_random=False))
@examples(15)
def test_the_order_of_keys_does_not_change_a_byte_of_what_is_sent(random: Random) -> None:
    def sent(data: Data) -> list[bytes]:
        text = yaml.safe_dump(data, sort_keys=False)
        state = to_wire(compile_policy(parse_policy(text, "p.yaml"))["s1"])
        return encode_bundle(difference(state, WireState()), 1, 1)

    shuffled = _shuffled(fresh(), random)
    assert isinstance(shuffled, dict)
    assert sent(shuffled) == sent(fresh())


def test_an_edit_of_one_tenant_leaves_the_others_flows_alone() -> None:
    data = fresh()
    _acme_server_moved(data)
    plan = difference(to_wire(compiled(data)), to_wire(compiled(fresh())))
    assert 0 < len(plan.put_flows) <= 10
    touched = {flow.because for flow in _new(compiled(fresh()), compiled(data))}
    assert all("globex" not in because for because in touched)


def _new(old: SwitchState, new: SwitchState) -> list[Flow]:
    return [flow for key, flow in new.flows.items() if old.flows.get(key) != flow]


def test_cookies_stay_when_rules_stay() -> None:
    for edit in EDITS:
        data = fresh()
        edit.apply(data)
        after = compiled(data).flows
        for key, flow in compiled(fresh()).flows.items():
            if key in after and after[key].because == flow.because:
                assert after[key].cookie == flow.cookie


def test_flows_grow_with_the_sum_of_things_and_never_with_their_product() -> None:
    """a + b x tenants + c x members: adding a tenant costs the same whatever the size of a pool."""

    def count(tenants: int, members: int) -> int:
        data = fresh()
        for number in range(members):
            data["pools"]["proxies"]["members"][f"more{number}"] = {
                "at": f"s1:{100 + number}",
                "mac": f"02:cc:00:00:01:{number:02x}",
                "addresses": [f"192.0.4.{number + 1}"],
            }
        for number in range(tenants):
            data["tenants"][f"t{number}"] = {
                "prefixes": [f"198.18.{number}.0/24"],
                "gateways": {"gw": {"at": f"s1:{200 + number}", "mac": f"02:aa:00:00:01:{number:02x}",
                                    "edge": [f"100.65.{number}.1"]}},
                "mail": {"mode": "proxy", "proxies": "proxies", "scanners": "scanners",
                         "servers": [f"198.18.{number}.10"]},
            }  # fmt: skip
        return len(compiled(data).flows)

    for few, many in itertools.pairwise((0, 5, 20)):
        with_few_members = count(many, 0) - count(few, 0)
        with_many_members = count(many, 20) - count(few, 20)
        assert with_few_members == with_many_members
