"""What may arrive at each port, as the proof found it; real frames are compared with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from controller.pipeline.fields import EthType
from controller.proof import dims
from controller.proof.boxes import Narrower
from controller.proof.dims import Box
from controller.proof.flows import ip_prefix
from controller.proof.space import Space

# Values of `Frame.fragment`, as in ip_frag (ovs-fields(7)).
WHOLE, FIRST, LATER_FRAGMENT = 0, 1, 3


@dataclass(frozen=True, slots=True)
class Frame:
    """The header of a frame as it arrives. Numbers; None: it has no such field, or it is not compared.

    `vlan` is 0 for an untagged frame. Addresses are of the family that `eth_type` says. A fragment
    has no ports and no ICMP type.
    """

    eth_src: int
    eth_dst: int
    eth_type: int
    ip_src: int | None = None
    ip_dst: int | None = None
    proto: int | None = None
    sport: int | None = None
    dport: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None
    fragment: int = WHOLE
    vlan: int = 0


class Arrivals:
    """The packets that may arrive. Kept by the engine's proof; not meant to be sent to another process."""

    def __init__(
        self, space: Space, narrower: Narrower, boxes: Mapping[tuple[str, int], Sequence[Box]], leaks: int
    ) -> None:
        self.space, self.narrower, self.boxes, self.leaks = space, narrower, boxes, leaks
        self._place_by_path = {sender.path: place for place, sender in enumerate(space.senders)}

    def foresees(self, switch: str, port: int, frame: Frame, sender: str, modes: int | None = None) -> bool:
        """Return whether a frame that arrives at a port was foreseen.

        `sender` is the path of the neighbour that sent it, or `s1:another port`. `modes` limits the answer to
        some of `proof.modes`, if the caller knows how the packet relates to its connection. Once a packet has
        met something whose effect is not known, everything is foreseen. Raise `KeyError` for unknown senders.
        """
        if self.leaks:
            return True
        conditions = [(dims.SENDER, 1 << self._place_by_path[sender]), *self._conditions(frame)]
        if modes is not None:
            conditions.append((dims.MODE, modes))
        boxes = self.boxes.get((switch, port), ())
        return any(self.narrower.intersect(box, conditions) is not None for box in boxes)

    def _conditions(self, frame: Frame) -> list[tuple[int, int]]:
        conditions = [(dims.FRAGMENT, 1 << frame.fragment)]
        for dim, name in _NAMES.items():
            value = getattr(frame, name)
            if value is not None:
                conditions.append((dim, self.space.atom(dim, value)))
        version = {EthType.IPV4: 4, EthType.IPV6: 6}.get(EthType(frame.eth_type)) if _is_ip(frame) else None
        for dim, address in ((dims.IP_SRC, frame.ip_src), (dims.IP_DST, frame.ip_dst)):
            if version and address is not None:
                value, _ = ip_prefix(version, address, 0)
                conditions.append((dim, self.space.atom(dim, value)))
        return conditions


def _is_ip(frame: Frame) -> bool:
    return frame.eth_type in (EthType.IPV4, EthType.IPV6)


_NAMES: Final = {
    dims.ETH_SRC: "eth_src",
    dims.ETH_DST: "eth_dst",
    dims.ETH_TYPE: "eth_type",
    dims.PROTO: "proto",
    dims.SPORT: "sport",
    dims.DPORT: "dport",
    dims.ICMP_TYPE: "icmp_type",
    dims.ICMP_CODE: "icmp_code",
    dims.VLAN: "vlan",
}
