"""Plays conversations with a decoy's own dialogue in memory, to see what an attacker would see."""

from collections.abc import Iterator
from dataclasses import replace

from services.decoy.dialogues.base import Dialogue
from services.decoy.dialogues.capture import Budget
from services.decoy.dialogues.choose import dialogue_for
from services.fingerprint.compare import Tell, compare_facts
from services.fingerprint.protocols.detection import SPEAKING
from services.fingerprint.script import Answers, Circumstances, Conversation, Ending, Heard, ScriptStep
from services.personas.model import BY_COWRIE, Service

_DATE = "Tue, 24 Nov 2026 00:00:00 GMT"
_NONCE = "1.2"
_BUDGET_BYTES = 1_000_000


def tells_of(service: Service, answers: Answers, circumstances: Circumstances) -> list[Tell]:
    """Return how a decoy with this persona differs from the real server. SSH and Telnet are Cowrie's."""
    if service.protocol in BY_COWRIE:
        return []
    speaking = SPEAKING[service.protocol]
    heard = rehearse(service, speaking.conversations(circumstances))
    real = {name: answer for name, answer in answers.items() if answer.ending is not Ending.SILENT}
    clients = (circumstances.client, circumstances.client)
    facts = speaking.facts({name: answer for name, answer in heard.items() if name in real})
    return compare_facts(service.port, speaking.facts(real), facts, clients)


def rehearse(service: Service, conversations: tuple[Conversation, ...]) -> dict[str, Heard]:
    """Return the decoy's answers by the names of the steps."""
    answers: dict[str, Heard] = {}
    for conversation in conversations:
        for heard in _play(service, conversation):
            if heard.name:
                answers.setdefault(heard.name, heard)
    return answers


def _play(service: Service, conversation: Conversation) -> Iterator[Heard]:
    """Answers end as they would on a connection: see `client.py`."""
    dialogue: Dialogue = dialogue_for(service, Budget(_BUDGET_BYTES), _NONCE, lambda: _DATE)
    dialogue.is_encrypted = conversation.begins_with_tls
    done = dialogue.greet()
    unheard = done.out
    for number, step in enumerate(conversation.steps):
        if step.say and not done.is_over:
            done = dialogue.feed(step.say)
            unheard += done.out
        heard = Heard(step.name, unheard, _ending(step, unheard, done.is_over), 0.0)
        is_last = number == len(conversation.steps) - 1
        yield replace(heard, ending=Ending.CLOSED) if is_last and done.is_over else heard
        if heard.ending is not Ending.WHOLE or (step.stop_after and unheard.startswith(step.stop_after)):
            return
        unheard = b""
        if step.tls_after:
            if not done.begins_tls:
                return
            done = dialogue.encrypted()


def _ending(step: ScriptStep, heard: bytes, is_over: bool) -> Ending:
    if (heard and step.whole(heard)) or (step.wait_s and not is_over):
        return Ending.WHOLE
    return Ending.CLOSED if is_over else Ending.SILENT
