"""The walk of docs/architecture.md for a policy edit, step by step in the code."""

from tests.api.conftest import Northbound
from tests.walks.steps import Recorder, documented
from tests.world import DEMO

_STEP_BY_MODULE = {
    "controller.policy.parse": "policy",
    "controller.compiler.compile": "compiler",
    "controller.hosts.render": "hosts",
    "controller.sync.plan": "sync",
}


def test_an_edit_takes_the_documented_steps() -> None:
    api, recorder = Northbound(), Recorder()
    api.start()
    api.connect()
    accept_policy = api.world.store.accept_policy

    def accept_and_note(file: str, text: str) -> object:
        recorder.note("store")
        return accept_policy(file, text)

    api.world.store.accept_policy = accept_and_note
    with recorder.calls(_STEP_BY_MODULE):
        edit = {"file": "new.yaml", "text": DEMO.replace("ports: [80]", "ports: [8080]")}
        assert api.http.simulate_post("/v1/policy", json=edit).json == {"revision": 2}
    if api.world.events("RevisionConfirmed")[-1] == {"switch": "s1", "revision": 2}:
        recorder.note("confirmed")
    assert recorder.steps == documented("A policy edit")


def test_hosts_know_an_edit_before_any_switch_is_told() -> None:
    api = Northbound()
    api.start()
    channel = api.connect()
    sent_at_publication: list[int] = []
    published = api.world.published
    asked_before = len(channel.asked)

    class Publications(list):  # type: ignore[type-arg]
        def append(self, settings: object) -> None:
            sent_at_publication.append(len(channel.asked) - asked_before)
            super().append(settings)

    api.world.published = Publications(published)
    edit = {"file": "new.yaml", "text": DEMO.replace("ports: [80]", "ports: [8080]")}
    api.http.simulate_post("/v1/policy", json=edit)
    assert sent_at_publication == [0]
    assert len(channel.asked) > asked_before
