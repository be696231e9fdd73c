"""The walk of docs/architecture.md for a policy edit, step by step in the code."""

from collections.abc import Mapping

from controller.hosts.render import Settings
from tests.api.conftest import Northbound
from tests.walks.steps import Recorder, documented
from tests.world import DEMO

_STEP_BY_PLACE = {
    "controller.policy.parse": "policy",
    "controller.compiler.compile": "compiler",
    "controller.compiler.verify:verify": "verify",
    "controller.runtime.gate:on_answer": "prove",
    "controller.sync.rehearsal:rehearse": "plan",
    "tests.world:accept_policy": "store",
    "tests.world:_publish": "hosts",
    "controller.runtime.switches:want": "sync",
    "controller.runtime.deliveries:close": "confirmed",
}


def test_an_edit_takes_the_documented_steps() -> None:
    api, recorder = Northbound(), Recorder()
    api.start()
    api.connect()
    with recorder.calls(_STEP_BY_PLACE):
        edit = {"file": "new.yaml", "text": DEMO.replace("ports: [80]", "ports: [8080]")}
        assert api.http.simulate_post("/v1/policy", json=edit).json == {"revision": 2}
    assert api.world.events("RevisionConfirmed")[-1] == {"switch": "s1", "revision": 2}
    assert recorder.steps == documented("A policy edit")


def test_hosts_know_an_edit_before_any_switch_is_told() -> None:
    api = Northbound()
    api.start()
    channel = api.connect()
    asked_before = len(channel.asked)
    asked_at_publication: list[int] = []

    class Publications(list[Mapping[str, Settings]]):
        def append(self, settings: Mapping[str, Settings]) -> None:
            asked_at_publication.append(len(channel.asked))
            super().append(settings)

    api.world.published = Publications(api.world.published)
    edit = {"file": "new.yaml", "text": DEMO.replace("ports: [80]", "ports: [8080]")}
    api.http.simulate_post("/v1/policy", json=edit)
    assert asked_at_publication == [asked_before]
    assert len(channel.asked) > asked_before
