"""Settings of `postern-controller`: one table of them, and how each is read.

Does not know Ryu, whose file holds the same settings; `apps` passes them on.
"""

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.api import DEFAULT_API, ApiAccessError, parse_address
from common.config.errors import quoted
from common.config.kinds import SWITCH, Kind, Wrong, duration, size
from controller.api.listen import Listen, parse_listen

PROGRAM = "postern-controller"
SECTION = "postern"  # of Ryu's file
_OFF = "off"
_STRING = {"type": "string"}
_INDENT, _WIDTH = " " * 6, 78


class SettingsError(Exception):
    """Settings that cannot be used. `errors`: for each one its name, its value and a remedy."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


@dataclass(frozen=True)
class Setting:
    """`name`: its key in Ryu's file, and the field of its value. An empty `default`: there is none."""

    name: str
    kind: Kind
    default: str
    means: str

    @property
    def variable(self) -> str:
        return f"POSTERN_{self.name.upper()}"


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    policy: Path
    state_dir: Path
    api: Path
    listen: Listen | None  # None: the API is not served over TCP
    watch: bool
    switch_control: str  # empty: ovs-appctl's own default
    switch_database: str  # empty: not watched
    proof_limit: float  # seconds
    proof_memory: int  # bytes

    def read_policy(self) -> str:
        """Return the text of the policy file. Raise `OSError` with a remedy if it cannot be read."""
        try:
            return self.policy.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise OSError(f"{self.policy}: not UTF-8 text: {error}; remedy: save it as UTF-8") from error
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            why = getattr(error, "strerror", None) or error
            raise OSError(f"{self.policy}: {why}; remedy: name a policy that can be read") from error

    def modified_at(self) -> tuple[int, int]:
        """Return a value that changes with the policy file; (0, 0) while it is missing."""
        try:
            facts = self.policy.stat()
        except OSError:
            return (0, 0)
        return (facts.st_mtime_ns, facts.st_ino)


def _read_policy_file(text: str) -> Path:
    if not text:
        raise Wrong("no policy is named", "set POSTERN_POLICY to the policy file")
    return Path(text)


def _read_socket(text: str) -> Path:
    try:
        address = parse_address(text)
    except ApiAccessError as error:
        raise Wrong(f"{quoted(text)} is not a unix socket", "write unix:PATH") from error
    if not address.socket:
        raise Wrong(f"{quoted(text)} is not a unix socket", "write unix:PATH; POSTERN_LISTEN is for TCP")
    return Path(address.socket)


def _read_database(text: str) -> str:
    path = "" if text == _OFF else text.removeprefix("unix:")
    if path and not path.startswith("/"):
        raise Wrong(f"{quoted(text)} is not the path of a socket", "write a path that begins with /, or off")
    return path


SETTINGS = (
    Setting("policy", Kind("path", _read_policy_file, _STRING), "", "policy file to apply; required"),
    Setting(
        "state_dir",
        Kind("path", Path, _STRING),
        "/var/lib/postern",
        "directory of all that survives a restart",
    ),
    Setting("api", Kind("unix:PATH", _read_socket, _STRING), DEFAULT_API, "the API's socket, unix:PATH"),
    Setting(
        "listen",
        Kind("HOST:PORT", parse_listen, _STRING),
        "127.0.0.1:9057",
        "HOST:PORT of the API for tokens, or off; with TLS except on loopback, and then with certificate.pem "
        "and key.pem of STATE_DIR/api",
    ),
    Setting("watch", SWITCH, "off", "on: reload when the policy file changes"),
    Setting(
        "switch_control", Kind("path", str, _STRING), "", "control socket of ovs-vswitchd, to count sessions"
    ),
    Setting(
        "switch_database",
        Kind("path or off", _read_database, _STRING),
        "/var/run/openvswitch/db.sock",
        "socket of this machine's ovsdb-server, to see changes to bridges, or off",
    ),
    Setting(
        "proof_limit",
        duration("100ms", "1h"),
        "60s",
        "longest time of a proof; after that it counts as not finished, and a plan waits",
    ),
    Setting("proof_memory", size("64MiB", "64GiB"), "4GiB", "most memory that the proving process may use"),
)


def read_settings(environment: Mapping[str, str], section: Mapping[str, str]) -> EdgeSettings:
    """Return the settings: from the environment first, then from the section of Ryu's file.

    Raise `SettingsError` with all that is wrong. An empty value counts as absent.
    """
    values: dict[str, Any] = {}
    errors = []
    for setting in SETTINGS:
        own, of_file = environment.get(setting.variable), section.get(setting.name)
        is_of_file = not own and of_file not in (None, "", setting.default)
        try:
            values[setting.name] = setting.kind.read(own or of_file or setting.default)
        except Wrong as wrong:
            place = f"{setting.name} in [{SECTION}]" if is_of_file else setting.variable
            errors.append(f"{place}: {wrong.message}; remedy: {wrong.remedy}")
    if errors:
        raise SettingsError(errors)
    return EdgeSettings(**values)


def table() -> str:
    """Return names, defaults and meanings as lines for a help text."""
    return "\n".join(line for setting in SETTINGS for line in _lines(setting))


def _lines(setting: Setting) -> Iterator[str]:
    default = f" (default: {setting.default})" if setting.default else ""
    yield f"  {setting.variable}, {setting.name}{default}"
    yield textwrap.fill(setting.means, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)
