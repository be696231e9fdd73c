"""The kinds of values that only a policy holds."""

import re

from common.config.errors import quoted
from common.config.kinds import NETWORK, Kind, Wrong, matching
from common.special_addresses import NO_HOSTS
from common.wire.values import Network
from controller.policy.model import PortRef

_NAME = "[a-z0-9][a-z0-9-]{0,30}"
_PORT_REF = re.compile(f"(?P<switch>{_NAME}):(?P<port>[0-9]{{1,10}})")
_LARGEST_PORT = 0xFEFF  # the largest number that present switches assign; OFPP_MAX is larger


def _read_prefix(text: str) -> Network:
    network: Network = NETWORK.read(text)
    if any(network.overlaps(other) for other in NO_HOSTS):
        raise Wrong(f"{network} cannot belong to a tenant", "write the tenant's own unicast prefix")
    return network


def _read_port_ref(text: str) -> PortRef:
    found = _PORT_REF.fullmatch(text)
    if not found or not 1 <= int(found["port"]) <= _LARGEST_PORT:
        raise Wrong(
            f"{quoted(text)} is not a valid switch port",
            f"write SWITCH:PORT with a port in 1..{_LARGEST_PORT}: s1:4",
        )
    return PortRef(found["switch"], int(found["port"]))


def _lower(kind: Kind) -> Kind:
    return Kind(kind.name, lambda text: str(kind.read(text)).lower(), kind.schema)


PREFIX = Kind("IP prefix", _read_prefix, NETWORK.schema)
PORT_REF = Kind("SWITCH:PORT", _read_port_ref, {"type": "string", "pattern": f"^{_NAME}:[0-9]+$"})
PATTERN = _lower(matching("address pattern", "[!-~]{1,320}", "write user@domain.example, or * for any part"))
URL_PATH = matching("path of a web page", "/[!-~]{0,500}", "begin with /, without spaces: /daily.cvd")
BANNER = matching("banner", "[ -~]{1,100}", "write its first characters in plain ASCII: SSH-2.0-")
