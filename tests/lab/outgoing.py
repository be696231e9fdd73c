"""A real Postfix outside the edge that sends: what it makes of each reply is in its own log."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.lab import Lab
from lab.mail import Letter, send
from lab.messages import Content, build
from lab.namespaces import entering
from lab.services import templates

_MAIN = """\
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = {home}/mail.log
maillog_file_prefixes = {home}
myhostname = mail.sender.example
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
mydestination =
local_recipient_maps =
alias_maps =
disable_dns_lookups = yes
smtpd_peername_lookup = no
biff = no
relayhost = [{relay}]
transport_maps = inline:{{ {{ sender.example = discard: }} }}
smtp_tls_security_level = may
"""
_SENDING = "smtp      unix  -       -       n       -       -       smtp\n"
_STATUS = re.compile(r"postfix/(?:smtp|error)\[\d+\]: (\w+): .* status=(\w+) \((.*)\)$", re.MULTILINE)


class OutgoingPostfix:
    """Runs on the host `sender`, and hands everything to one mail server."""

    def __init__(self, lab: Lab, relay: str) -> None:
        self._pin, self._home = lab.places.pin("sender"), lab.places.home("sender.postfix")
        self._settings = self._home / "etc"
        templates.write(self._settings / "main.cf", _MAIN.format(home=self._home, relay=relay))
        master = templates.fill("postfix/master.cf", {})
        templates.write(self._settings / "master.cf", master + _SENDING)
        for directory, owner in (("queue", "root"), ("data", "postfix")):
            (self._home / directory).mkdir(exist_ok=True)
            shutil.chown(self._home / directory, owner)
        (self._home / "queue" / "pid" / "master.pid").unlink(missing_ok=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        process = subprocess.Popen(
            entering(self._pin, ["postfix", "-c", str(self._settings), "start-fg"]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            self._run("postfix", "-c", str(self._settings), "stop")
            process.wait(30)

    def submit(self, recipient: str) -> str:
        """Queue a message; return the queue's name of it."""
        message = build(Content.CLEAN, "someone@sender.example", recipient)
        letter = Letter("someone@sender.example", recipient, "127.0.0.1", message)
        deadline = time.monotonic() + 60
        while (told := send(self._pin, letter)).code != 250:
            assert time.monotonic() < deadline, told.transcript
            time.sleep(0.1)
        return told.reply.rpartition(" ")[2]

    def flush(self) -> None:
        """Have everything tried again now."""
        self._run("postqueue", "-c", str(self._settings), "-f")

    def await_status(self, message: str, status: str, times: int = 1) -> str:
        """Return why a message got a status, as soon as it has; `times`: the second time, perhaps."""
        deadline = time.monotonic() + 60
        while True:
            found = [
                each
                for each in _STATUS.findall(self._log().read_text(encoding="utf-8"))
                if each[0] == message
            ]
            if len(found) >= times and found[-1][1] == status:
                return str(found[-1][2])
            assert time.monotonic() < deadline, f"{message} is not {status}: {found}"
            time.sleep(0.05)

    def _log(self) -> Path:
        return self._home / "mail.log"

    def _run(self, *command: str) -> None:
        subprocess.run(entering(self._pin, command), check=True, capture_output=True, timeout=30)
