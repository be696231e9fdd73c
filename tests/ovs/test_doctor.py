"""`postern doctor` about bridges of a real switch: each remedy, typed as it is printed, mends its subject."""

import shlex

import pytest

from controller.doctor import openvswitch
from tests.ovs.dummy import DummyOvs

pytestmark = pytest.mark.ovs


@pytest.fixture
def remedies(ovs: DummyOvs, monkeypatch: pytest.MonkeyPatch) -> "Remedies":
    monkeypatch.setenv("OVS_RUNDIR", str(ovs.directory))
    monkeypatch.setattr(openvswitch, "_REFRESH_S", 1)
    ovs.vsctl(
        "add-br", "s1", "--", "set", "Bridge", "s1", "datapath_type=dummy", "external_ids:postern-lab=x"
    )
    return Remedies(ovs)


class Remedies:
    def __init__(self, ovs: DummyOvs) -> None:
        self._ovs = ovs

    def of(self, text: str) -> list[str]:
        """Return the remedies of the findings about s1 in which a text occurs."""
        findings = openvswitch.judge(openvswitch.look())
        return [
            each.remedy for each in findings if "s1" in each.subject and text in each.fact and each.remedy
        ]

    def type(self, text: str) -> None:
        (remedy,) = self.of(text)
        program, *words = shlex.split(remedy.partition(", ")[0])
        assert program == "ovs-vsctl"
        self._ovs.vsctl(*words)


def test_the_remedy_for_a_bridge_without_a_controller_leaves_no_setting_wrong(remedies: Remedies) -> None:
    assert len(remedies.of(" is ")) == 3
    remedies.type("has no controller")
    assert remedies.of("fail_mode") == remedies.of("disable-in-band") == remedies.of("protocols") == []


@pytest.mark.parametrize(
    "text", ["fail_mode is standalone", "disable-in-band is false", "protocols is every"]
)
def test_a_setting_that_no_bridge_may_have_is_mended_by_its_remedy(remedies: Remedies, text: str) -> None:
    remedies.type(text)
    assert remedies.of(text) == []


def test_a_limited_table_is_mended_by_its_remedy_and_a_named_one_is_good(
    remedies: Remedies, ovs: DummyOvs
) -> None:
    for number, column in enumerate(("name=admission", "flow_limit=9")):
        make = ("--", "--id=@t", "create", "Flow_Table", column, "--", "set", "Bridge", "s1")
        ovs.vsctl(*make, f"flow_tables:{number}=@t")
    remedies.type("table 1 has flow_limit=9")
    assert remedies.of("table 1 ") == remedies.of("table 0 ") == []
    assert "admission" in ovs.vsctl("list", "Flow_Table")
