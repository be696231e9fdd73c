"""Runs nmap as attackers do: the states of ports, and the results of its service detection."""

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from xml.etree import ElementTree

from common.config.errors import quoted

PROGRAM = "nmap"
_WITHIN_S = 540
_MOST_BYTES = 16 * 1024 * 1024
_PARTS = ("name", "product", "version", "extrainfo", "hostname", "ostype", "devicetype", "tunnel")


class NmapFailed(Exception):
    """nmap is not installed, or did not finish; the text says why, with a remedy."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What nmap prints about a port: STATE, REASON, SERVICE and VERSION."""

    state: str
    service: str


async def scan(address: IPv4Address | IPv6Address, ports: tuple[int, ...]) -> dict[int, Finding]:
    """Return nmap's findings by port. Raise `NmapFailed`."""
    command = ["-sV", "-Pn", "-n", "-p", ",".join(map(str, ports)), "-oX", "-", "--host-timeout", "500s"]
    command += ["-6"] if address.version == 6 else []
    try:
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            *command,
            str(address),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise NmapFailed(
            f"{PROGRAM} cannot be run: {error}; remedy: apt install nmap, or --without-nmap"
        ) from error
    try:
        async with asyncio.timeout(_WITHIN_S):
            out, err = await process.communicate()
    except TimeoutError as error:
        raise NmapFailed("nmap took too long; remedy: give fewer ports, or --without-nmap") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        why = quoted(err.decode("utf-8", "replace"))
        raise NmapFailed(f"nmap failed: {why}; remedy: try `nmap -sV {address}` by hand")
    return parse_findings(out)


def parse_findings(xml: bytes) -> dict[int, Finding]:
    """Parse nmap's XML. Raise `NmapFailed`."""
    if len(xml) > _MOST_BYTES:
        raise NmapFailed("nmap's output is too long; remedy: give fewer ports")
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        raise NmapFailed(f"nmap's XML cannot be read: {error}; remedy: use Debian's nmap") from error
    return {int(port.get("portid", "0")): _finding(port) for port in root.iter("port")}


def _finding(port: ElementTree.Element) -> Finding:
    state, service = port.find("state"), port.find("service")
    shown = "" if state is None else f"{state.get('state')} ({state.get('reason')})"
    if service is None:
        return Finding(shown, "")
    words = [f"{part}={service.get(part)}" for part in _PARTS if service.get(part)]
    words += [f"cpe={cpe.text}" for cpe in service.iter("cpe")]
    return Finding(shown, "; ".join(words))
