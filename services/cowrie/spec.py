"""The specification of one Cowrie, from the persona of a host, and Cowrie's configuration for it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from services.personas.model import Host, Persona, Protocol, Shell, Ssh, Telnet

_SECTIONS = dict[str, dict[str, str]]
KEY_KINDS = ("rsa", "ecdsa", "ed25519")  # Cowrie's names
_DEFAULT_KERNEL = "6.1.0-28-amd64"


@dataclass(frozen=True, slots=True)
class Spec:
    """One Cowrie: a host's SSH, its Telnet, or both."""

    tenant: str
    host: str
    ssh: Ssh | None = None
    telnet: Telnet | None = None

    @property
    def name(self) -> str:
        return f"{self.tenant}/{self.host}"

    @property
    def shell(self) -> Shell:
        """Return the shell: the same for SSH and Telnet, since both are one host."""
        shells = [each.shell for each in (self.ssh, self.telnet) if each is not None]
        first, last = shells[0], shells[-1]
        return replace(first, users={**last.users, **first.users}, files={**last.files, **first.files})


@dataclass(frozen=True, slots=True)
class Answering:
    """One Cowrie, and the ports of its host at which it answers."""

    spec: Spec
    protocol_by_port: Mapping[int, str] = field(default_factory=dict)


def to_answering(persona: Persona, host: Host) -> tuple[Answering, ...]:
    """Return the Cowries that a host needs: one, unless its ports have different services."""
    made: list[Answering] = []
    for port, service in sorted(host.services.items()):
        speech = service.speech
        if not isinstance(speech, Ssh | Telnet):
            continue
        place = next((n for n, each in enumerate(made) if _has_room(each.spec, speech)), None)
        if place is None:
            place = len(made)
            name = host.name if not made else f"{host.name}-{port}"
            made.append(Answering(Spec(persona.tenant, name)))
        before = made[place]
        made[place] = Answering(
            _with(before.spec, speech), {**before.protocol_by_port, port: _protocol(speech)}
        )
    return tuple(made)


def _has_room(spec: Spec, speech: Ssh | Telnet) -> bool:
    there = spec.ssh if isinstance(speech, Ssh) else spec.telnet
    return there is None or there == speech


def _with(spec: Spec, speech: Ssh | Telnet) -> Spec:
    return replace(spec, ssh=speech) if isinstance(speech, Ssh) else replace(spec, telnet=speech)


def _protocol(speech: Ssh | Telnet) -> str:
    return str(Protocol.SSH if isinstance(speech, Ssh) else Protocol.TELNET)


def to_configuration(spec: Spec, sensor: str, boot_offset_s: int, keys: Mapping[str, str]) -> str:
    """Return Cowrie's configuration file. No port is opened: connections are handed over.

    `keys`: a file by kind, with its public half beside it (`.pub`).
    """
    identification = spec.ssh.identification if spec.ssh else "SSH-2.0-OpenSSH_9.2p1"
    sections: _SECTIONS = {
        "honeypot": _honeypot_section(spec.shell, sensor, boot_offset_s),
        "shell": _shell_section(spec.shell, identification),
        "ssh": {"enabled": _flag(spec.ssh), **_ssh_section(identification, keys)},
        "telnet": {"enabled": _flag(spec.telnet), "listen_endpoints": ""},
    }
    return "\n".join(_section_lines(sections))


def _honeypot_section(shell: Shell, sensor: str, boot_offset_s: int) -> dict[str, str]:
    return {
        "hostname": shell.hostname,
        "sensor_name": sensor,
        "boot_offset": str(boot_offset_s),
        "auth_class": "PosternUsers",
        # sshd keeps an idle shell for hours; this is the limit here.
        "idle_timeout": "900",
        "interactive_timeout": "900",
        "authentication_timeout": "120",
        "download_limit_size": str(10 * 1024 * 1024),
        "timezone": "UTC",
        "backend": "shell",
    }


def _shell_section(shell: Shell, identification: str) -> dict[str, str]:
    return {
        "ssh_version": f"{identification.removeprefix('SSH-2.0-')}, OpenSSL 3.0.15 3 Sep 2024",
        "kernel_version": shell.kernel or _DEFAULT_KERNEL,
        "hardware_platform": shell.machine,
    }


def _ssh_section(identification: str, keys: Mapping[str, str]) -> dict[str, str]:
    section = {
        "listen_endpoints": "",
        "version": identification,
        "sftp_enabled": "true",
        # Cowrie answers such requests itself and opens no connection.
        "forwarding": "true",
        "forward_redirect": "false",
        "forward_tunnel": "false",
    }
    for kind, file in keys.items():
        section |= {f"{kind}_private_key": file, f"{kind}_public_key": f"{file}.pub"}
    return section


def _flag(protocol: Ssh | Telnet | None) -> str:
    return "false" if protocol is None else "true"


def to_identity(spec: Spec) -> dict[str, object]:
    """Return the identity for `plugin/identity.py`."""
    shell, ssh = spec.shell, spec.ssh
    name = shell.hostname.partition(".")[0]
    algorithms: dict[str, list[str]] = {}
    if ssh is not None:
        algorithms = {
            "key_exchange": list(ssh.key_exchange),
            "host_keys": list(ssh.host_keys),
            "ciphers": list(ssh.ciphers),
            "macs": list(ssh.macs),
            "compression": list(ssh.compression),
        }
    return {
        "hostname": shell.hostname,
        "users": {user: list(words) for user, words in shell.users.items()},
        "files": dict(shell.files),
        "system": shell.system,
        "algorithms": algorithms,
        "ssh_banner": ssh.banner if ssh else "",
        "telnet_banner": spec.telnet.banner if spec.telnet else "",
        "telnet_prompt": f"{name} login: ",
    }


def _section_lines(sections: _SECTIONS) -> Iterable[str]:
    for section, values in sections.items():
        yield f"[{section}]"
        for key, value in values.items():
            yield f"{key} = {_one_line(value)}"
        yield ""


def _one_line(value: str) -> str:
    """Escape a persona's text so that it cannot begin another key or be taken for a reference."""
    return " ".join(value.split()).replace("$", "$$")
