"""The dialogue for a service."""

from collections.abc import Callable

from services.decoy.dialogues.banner import BannerDialogue
from services.decoy.dialogues.base import Dialogue
from services.decoy.dialogues.capture import Budget
from services.decoy.dialogues.ftp import FtpDialogue
from services.decoy.dialogues.http import HttpDialogue
from services.decoy.dialogues.imap import ImapDialogue
from services.decoy.dialogues.pop3 import Pop3Dialogue
from services.decoy.dialogues.smtp import SmtpDialogue
from services.personas.model import Banner, Ftp, Http, Imap, Pop3, Service, Smtp


def dialogue_for(service: Service, budget: Budget, nonce: str, date: Callable[[], str]) -> Dialogue:
    """Return a new dialogue. SSH and Telnet belong to Cowrie; asking for them here is a bug."""
    match service.speech:
        case Smtp() as speech:
            return SmtpDialogue(speech, budget, nonce)
        case Http() as speech:
            return HttpDialogue(speech, budget, date)
        case Pop3() as speech:
            return Pop3Dialogue(speech, nonce)
        case Imap() as speech:
            return ImapDialogue(speech, nonce)
        case Ftp() as speech:
            return FtpDialogue(speech)
        case Banner() as speech:
            return BannerDialogue(speech)
    raise AssertionError(f"no dialogue for {service.protocol}")
