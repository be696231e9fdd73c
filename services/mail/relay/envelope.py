"""One message's envelope, and what the client announced for it."""

from dataclasses import dataclass, field

from services.smtp.commands import Path


@dataclass(slots=True)
class Recipient:
    path: Path
    line: bytes  # the client's own command, for a replay


@dataclass(slots=True)
class Envelope:
    sender: Path
    line: bytes  # the client's own MAIL command, for a replay
    recipients: list[Recipient] = field(default_factory=list)

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple([recipient.path.address for recipient in self.recipients])

    @property
    def lines(self) -> list[bytes]:
        """All commands, in order."""
        return [self.line, *(recipient.line for recipient in self.recipients)]
