"""A decoy's FTP, modelled on vsftpd: the control channel, up to a login that never succeeds.

So there is never a data connection: PASV and PORT get the replies of a real server before login.
"""

from services.decoy.dialogues.base import Command, LineDialogue, Login, fill, text_of
from services.personas.model import Ftp

_MOST_LOGINS = 3  # vsftpd: max_login_fails
_REPLY_BY_VERB = {
    "PASV": "pasv",
    "EPSV": "pasv",
    "PORT": "port",
    "EPRT": "port",
    "SYST": "system",
    "HELP": "help",
    "NOOP": "noop",
}


class FtpDialogue(LineDialogue):
    def __init__(self, speech: Ftp) -> None:
        super().__init__(speech.replies, {})
        self._speech = speech
        self._user: str | None = None
        self._failed = 0

    def _greet(self) -> None:
        self._out += fill(self._speech.banner, {})

    def _line(self, line: bytes) -> None:
        text = text_of(line)
        self._note(Command(text))
        verb, _, rest = text.partition(" ")
        match verb.upper():
            case "USER":
                self._user = rest
                self._say("user")
            case "PASS":
                self._take_password(rest)
            case "FEAT":
                self._features()
            case "OPTS":
                self._say("opts_utf8" if rest.upper() == "UTF8 ON" else "opts")
            case "AUTH":
                self._auth()
            case "QUIT":
                self._say("quit")
                self._end()
            case other:
                self._say(_REPLY_BY_VERB.get(other, "unknown"))

    def _take_password(self, password: str) -> None:
        if self._user is None:
            self._say("pass_first")
            return
        self._note(Login("USER", self._user, password))
        self._user = None
        self._failed += 1
        self._say("login_failed")
        if self._failed >= _MOST_LOGINS:
            self._end()

    def _features(self) -> None:
        if not self._speech.features:
            self._say("no_features")
            return
        lines = [f" {feature}" for feature in self._speech.features]
        reply = self._replies["features"].replace("{features}", "\n".join(lines))
        self._out += fill(reply, {})

    def _auth(self) -> None:
        if self._speech.tls is None or self.is_encrypted:
            self._say("no_auth")
        else:
            self._say("auth_tls")
            self._begin_tls()
