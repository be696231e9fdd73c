"""A port that sends a banner, and answers each line with the same text, or with none."""

from services.decoy.dialogues.base import Command, LineDialogue, text_of
from services.personas.model import Banner


class BannerDialogue(LineDialogue):
    def __init__(self, speech: Banner) -> None:
        super().__init__({"too_long": "", "timed_out": "", "too_many_errors": ""}, {})
        self._speech = speech

    def _greet(self) -> None:
        self._out += self._speech.banner.encode("utf-8", "replace")
        if self._speech.is_closed_at_once:
            self._end()

    def _say(self, reply: str, **values: str) -> None:
        """Send nothing: such a port has no error replies."""

    def _line(self, line: bytes) -> None:
        self._note(Command(text_of(line)))
        self._out += self._speech.reply.encode("utf-8", "replace")
