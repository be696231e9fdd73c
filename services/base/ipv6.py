"""A host without IPv6: programs serve IPv4 there, and their journal says once what is lost."""

import errno
import socket

from common.journal.journal import Journal
from services.base.events import DaemonEvent

_LOOPBACK = "::1"


def has_sockets() -> bool:
    """Say whether the kernel has IPv6 at all."""
    try:
        socket.socket(socket.AF_INET6).close()
    except OSError as error:
        return error.errno != errno.EAFNOSUPPORT
    return True


def has_addresses() -> bool:
    """Say whether an address of IPv6 can be served here: sysctl may have turned them all off."""
    if not has_sockets():
        return False
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind((_LOOPBACK, 0))
        except OSError as error:
            return error.errno != errno.EADDRNOTAVAIL
    return True


def tell_if_missing(journal: Journal, lost: str) -> None:
    """Note in the journal that IPv6 is not there, and that `lost` is what clients do not get."""
    if has_addresses():
        return
    reason, remedy = "the kernel was started without IPv6", "boot without ipv6.disable=1"
    if has_sockets():
        reason = "no address of IPv6 can be used in this network namespace"
        remedy = "sysctl -w net.ipv6.conf.all.disable_ipv6=0, and ip link set lo up"
    journal.write(DaemonEvent.IPV6_MISSING, lost=lost, reason=reason, remedy=remedy)
