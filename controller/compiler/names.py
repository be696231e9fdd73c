"""Names for the numbers of a compiled policy, to show flows in readable form."""

from controller.compiler.groups import group_names
from controller.ids import group_id, party_id
from controller.pipeline.show import Names
from controller.policy.model import Policy
from controller.topology.ports import mac_number, ports_of


def names_of(policy: Policy) -> Names:
    parties = {party_id(f"tenants.{tenant.name}"): tenant.name for tenant in policy.tenants}
    parties |= {party_id(f"pools.{pool.name}"): pool.name for pool in policy.pools}
    parties |= {party_id(f"uplinks.{uplink.name}"): uplink.name for uplink in policy.uplinks}
    neighbours = {mac_number(use.mac): use.name for use in ports_of(policy) if use.mac}
    neighbours |= {mac_number(switch.mac): switch.name for switch in policy.switches}
    return Names(parties, {group_id(name): read for name, read in group_names(policy)}, neighbours)
