"""The persona's files, users and names in Cowrie's shell; recordings of terminals; no name is resolved."""

import base64
import re
import time
from typing import Any

from cowrie.commands import wget
from cowrie.core import auth, honeyfs
from cowrie.core import network as cowrie_network
from cowrie.insults import insults
from cowrie.shell import fs, protocol
from cowrie.ssh import userauth
from twisted.conch.ssh.common import NS
from twisted.internet import defer, reactor, task
from twisted.internet.error import ConnectionDone
from twisted.names.error import DNSServerError

from .identity import Identity

_SESSION_IN_NAME = re.compile(r"-([0-9a-f]{12})-[^/]*$")
# A real resolver waits five seconds for each query without an answer.
_RESOLVING_TAKES_S = 5.0


def put_on(identity: Identity, link: Any) -> None:
    """Apply the persona to Cowrie, before it creates its services."""
    _plant(identity)
    _record(link)
    _know(identity.users)
    _show_attacked_address()
    userauth.HoneyPotSSHUserAuthServer.sendBanner = _banner_sender(identity.ssh_banner)
    cowrie_network.client.lookupAddress = _resolve_nothing
    _fail_to_fetch()


def _banner_sender(banner: str) -> Any:
    """Return a function that sends the persona's banner once. Cowrie itself would send /etc/issue.net."""

    def send_banner(self: Any) -> None:
        if banner and not self.bannerSent:
            self.bannerSent = True
            packet = NS(banner.encode()) + NS(b"")
            self.transport.sendPacket(userauth.userauth.MSG_USERAUTH_BANNER, packet)

    return send_banner


def greet(factory: Any, identity: Identity) -> None:
    """Set the texts of Telnet. Must be called again whenever the factory starts."""
    from cowrie.telnet.userauth import HoneyPotTelnetAuthProtocol

    HoneyPotTelnetAuthProtocol.loginPrompt = identity.telnet_prompt.encode()
    start = factory.startFactory

    def start_and_greet() -> None:
        start()
        factory.banner = identity.telnet_banner.replace("\r\n", "\n").encode()

    factory.startFactory = start_and_greet


def _fail_to_fetch() -> None:
    """Make wget fail while it connects: Cowrie's own wget says `connected` before it has tried."""
    say = wget.Command_wget.errorWrite

    def error_write(self: Any, text: str) -> None:
        if getattr(self, "has_failed", False):
            return
        is_resolving_number = text.startswith("Resolving ") and cowrie_network.is_ip_address(self.host)
        if is_resolving_number or text.startswith("Connecting to "):
            self.has_failed = True
            text = f"Connecting to {self.host}:{self.port}... failed: Network is unreachable.\n"
        say(self, text)

    def fetch_nothing(self: Any, _url: Any) -> Any:
        self.has_failed = True
        return defer.fail(ConnectionDone())

    wget.Command_wget.errorWrite = error_write
    wget.Command_wget.httpDownload = wget.Command_wget.ftpDownload = fetch_nothing


def _resolve_nothing(*_arguments: Any, **_named: Any) -> Any:
    """Fail like a resolver that gets no answer."""
    return task.deferLater(reactor, _RESOLVING_TAKES_S, _fail)


def _fail() -> None:
    raise DNSServerError("no answer")


def _know(users: dict[str, list[str]]) -> None:
    """Accept the persona's users, with any password for `*`. Cowrie's own file has other patterns."""
    known = {(name.encode(), word.encode()) for name, words in users.items() for word in words}

    class PosternUsers:
        def checklogin(self, name: bytes, word: bytes, _source: str = "") -> bool:
            return (name, word) in known or (bool(word) and (name, b"*") in known)

    auth.PosternUsers = PosternUsers


def _show_attacked_address() -> None:
    """Make commands such as ifconfig show the attacked address."""
    kind = protocol.HoneyPotBaseProtocol
    begin = kind.connectionMade

    def connection_made(self: Any) -> None:
        begin(self)
        host = self.getProtoTransport().transport.getHost().host
        if ":" in host:
            self.kippoIPv6 = host
        else:
            self.kippoIP = host

    kind.connectionMade = connection_made


def _record(link: Any) -> None:
    """Send the terminals' data to the supervisor instead of writing it to files here."""

    def write(logfile: str, _length: int, direction: int, stamp: float, data: bytes) -> None:
        found = _SESSION_IN_NAME.search(logfile)
        if found and data:
            for start in range(0, len(data), 4096):
                said = base64.b64encode(data[start : start + 4096]).decode()
                tty = {"eventid": "postern.tty", "session": found[1], "at": stamp}
                link.tell({**tty, "direction": direction, "data": said})

    def session_of(self: Any) -> tuple[str, int]:
        """Name recordings of Telnet by their session as well."""
        return self.getEventLog().identity["session"], 0

    insults.LoggingTelnetServerProtocol.getSessionId = session_of
    insults.ttylog.ttylog_write = write


def _plant(identity: Identity) -> None:
    """Put the persona's files, name and users into the file tree with which all sessions begin."""
    tree = honeyfs.get_tree()
    for path, text in _files_of(identity).items():
        _put(tree, path, text.encode())


def _files_of(identity: Identity) -> dict[str, str]:
    name = identity.hostname
    short = name.partition(".")[0]
    passwd = honeyfs.read_file("/etc/passwd").decode("ascii", "replace")
    known = {line.partition(":")[0] for line in passwd.splitlines()}
    # Specific to Cowrie: attackers who know Cowrie look for it.
    passwd = "".join(f"{line}\n" for line in passwd.splitlines() if not line.startswith("phil:"))
    for number, user in enumerate(sorted(set(identity.users) - known), start=1000):
        passwd += f"{user}:x:{number}:{number}:,,,:/home/{user}:/bin/bash\n"
    return {
        "/etc/hostname": f"{name}\n",
        "/etc/hosts": f"127.0.0.1\tlocalhost\n127.0.1.1\t{name}{f' {short}' if short != name else ''}\n"
        "::1     localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n",
        "/etc/passwd": passwd,
        **_release(identity.system),
        **identity.files,
    }


def _release(system: str) -> dict[str, str]:
    """Return the name of the system, such as `Debian GNU/Linux 12 (bookworm)`."""
    if not system:
        return {}
    old = honeyfs.read_file("/etc/os-release").decode("ascii", "replace").splitlines()
    kept = [line for line in old if not line.startswith("PRETTY_NAME=")]
    issue = system.partition(" (")[0]
    return {
        "/etc/os-release": "\n".join([f'PRETTY_NAME="{system}"', *kept]) + "\n",
        "/etc/issue": f"{issue} \\n \\l\n\n",
        "/etc/issue.net": f"{issue}\n",
    }


def _put(tree: fs.Node, path: str, contents: bytes) -> None:
    """Write a file into Cowrie's tree, with the directories above it."""
    *above, name = [part for part in path.split("/") if part]
    here = tree
    now = time.time()
    for part in above:
        found = next((each for each in here[fs.A_CONTENTS] if each[fs.A_NAME] == part), None)
        if found is None or found[fs.A_TYPE] != fs.T_DIR:
            found = [part, fs.T_DIR, 0, 0, 4096, 0o40755, now, [], None, None]
            here[fs.A_CONTENTS] = [each for each in here[fs.A_CONTENTS] if each[fs.A_NAME] != part] + [found]
        here = found
    file = [name, fs.T_FILE, 0, 0, len(contents), 0o100644, now, contents, None, None]
    here[fs.A_CONTENTS] = [each for each in here[fs.A_CONTENTS] if each[fs.A_NAME] != name] + [file]
