"""A port with an unknown protocol: its banner, and its answer to a line."""

from services.fingerprint.protocols.interface import Lesson, Speaking, plain_facts
from services.fingerprint.script import Answers, Circumstances, Conversation, Ending, ScriptStep, never

_GREETING, _ANSWER = "greeting", "answer to a line"
_WAIT_S = 3.0


def _conversations(_: Circumstances) -> tuple[Conversation, ...]:
    greeting = ScriptStep(_GREETING, b"", never, wait_s=_WAIT_S)
    answer = ScriptStep(_ANSWER, b"help\r\n", never, wait_s=_WAIT_S)
    return (Conversation((greeting, answer)),)


def _learn(answers: Answers, _: Circumstances) -> Lesson:
    lesson = Lesson()
    greeting, answer = answers.get(_GREETING), answers.get(_ANSWER)
    lesson.fields["banner"] = lesson.clean(greeting.text, "banner") if greeting else ""
    if answer and answer.data:
        lesson.fields["reply"] = lesson.clean(answer.text, "reply")
    if greeting and greeting.ending is Ending.CLOSED:
        lesson.fields["close"] = True
    return lesson


BANNER = Speaking(_conversations, _learn, plain_facts)
