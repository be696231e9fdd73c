"""The fields that each table may match. A flow that matches another field is a mistake in its stage."""

from controller.pipeline import fields as f
from controller.pipeline.fields import Field
from controller.pipeline.tables import Table

_SOURCES = {f.IPV4_SRC, f.IPV6_SRC}
_DESTINATIONS = {f.IPV4_DST, f.IPV6_DST}
_ICMP = {f.IP_PROTO, f.ICMP_TYPE, f.ICMP_CODE, f.ICMPV6_TYPE}
_FRAGMENTS = {f.IP_FRAG, f.CT_STATE, f.CT_PROTO, f.CT_TP_DST}
_SOLICITATION = {f.ETH_TYPE, f.IP_PROTO, f.ICMPV6_TYPE}

FIELDS: dict[Table, frozenset[Field]] = {
    Table.ADMISSION: frozenset({f.IN_PORT, f.VLAN, f.ETH_SRC, f.ETH_DST, *_SOLICITATION}),
    Table.NEIGHBOUR: frozenset({f.PARTY, f.ARP_OP, f.ARP_TPA, f.ND_TARGET, *_SOLICITATION}),
    Table.ADVERTISE: frozenset({f.ND_TARGET, *_SOLICITATION}),
    Table.VISITOR: frozenset({f.ETH_SRC}),
    Table.SOURCE: frozenset({f.ROLE, f.PARTY, f.ETH_TYPE, *_ICMP, *_SOURCES, *_DESTINATIONS}),
    Table.HOME: frozenset(
        {f.ROLE, f.PARTY, f.ETH_TYPE, f.IP_PROTO, f.TCP_SRC, f.TCP_DST, *_SOURCES, *_DESTINATIONS}
    ),
    Table.TRACK: frozenset(
        {f.ROLE, f.PARTY, f.ETH_TYPE, f.IP_FRAG, f.IP_PROTO, f.TCP_SRC, f.TCP_DST, *_SOURCES, *_DESTINATIONS}
    ),
    Table.RESUME: frozenset(
        {f.ROLE, f.ZONE, f.ETH_TYPE, f.IP_FRAG, f.ETH_SRC, f.CT_STATE, f.CT_LABEL, *_DESTINATIONS}
    ),
    Table.SUSPICION: frozenset(
        {f.ROLE, f.ETH_TYPE, f.IP_PROTO, f.TCP_DST, f.UDP_DST, *_FRAGMENTS, *_SOURCES, *_DESTINATIONS}
    ),
    Table.SERVICE: frozenset(
        {
            f.ROLE,
            f.PARTY,
            f.ZONE,
            f.TREATMENT,
            f.ETH_TYPE,
            f.IP_PROTO,
            f.TCP_SRC,
            f.TCP_DST,
            f.UDP_DST,
            *_ICMP,
            *_FRAGMENTS,
            *_DESTINATIONS,
        }
    ),
    Table.RECALL: frozenset({f.POOL, f.ETH_TYPE, *_SOURCES}),
    Table.AFFINITY: frozenset({f.POOL, f.ETH_DST, f.ETH_TYPE, f.IP_PROTO}),
    Table.REMEMBER: frozenset({f.POOL, f.ETH_DST, f.ETH_TYPE}),
    Table.ROUTE: frozenset({f.ETH_TYPE, *_DESTINATIONS}),
    Table.COMMIT: frozenset({f.ZONE, f.PARTY, f.ETH_TYPE}),
    Table.FORWARD: frozenset({f.ETH_DST}),
    Table.SAMPLE: frozenset(),
}
