"""A host without IPv6: programs serve only IPv4, and report once in the journal what is not available."""

import errno
import socket

from common.journal.journal import Journal
from services.base.events import DaemonEvent

_LOOPBACK = "::1"


def has_sockets() -> bool:
    """Return whether the kernel supports IPv6."""
    try:
        socket.socket(socket.AF_INET6).close()
    except OSError as error:
        return error.errno != errno.EAFNOSUPPORT
    return True


def has_addresses() -> bool:
    """Return whether an IPv6 address can be served here: sysctl may have disabled IPv6."""
    if not has_sockets():
        return False
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind((_LOOPBACK, 0))
        except OSError as error:
            return error.errno != errno.EADDRNOTAVAIL
    return True


def tell_if_missing(journal: Journal, lost: str) -> None:
    """Report in the journal if IPv6 is missing. `lost` says what is then not available to clients."""
    if has_addresses():
        return
    reason, remedy = "the kernel was started without IPv6", "boot without ipv6.disable=1"
    if has_sockets():
        reason = "no IPv6 address can be used in this network namespace"
        remedy = "sysctl -w net.ipv6.conf.all.disable_ipv6=0, and ip link set lo up"
    journal.write(DaemonEvent.IPV6_MISSING, lost=lost, reason=reason, remedy=remedy)
