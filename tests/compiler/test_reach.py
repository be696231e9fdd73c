"""Who reaches whom, computed from the compiled tables of every policy that we ship."""

from functools import cache

import pytest

from controller.compiler.neighbours import Neighbour
from controller.pipeline.fields import Role
from controller.policy.model import Mail, Policy, Tenant
from controller.policy.parse import read_policy
from tests.compiler.conftest import POLICIES
from tests.compiler.reach import Reach, addresses_of, probes_between
from tests.examples import IS_QUICK

# The largest one takes most of the time.
NAMES = sorted(file.stem for file in POLICIES.glob("*.yaml") if not IS_QUICK or file.stem != "leafspine")
every_policy = pytest.mark.parametrize("name", NAMES)


@cache
def reach(name: str) -> Reach:
    return Reach(read_policy(POLICIES / f"{name}.yaml"))


def own_addresses(edge: Reach, sender: Neighbour) -> list[object]:
    """Return addresses that a neighbour may rightly use, or, if it is a gateway, everybody's."""
    addresses = addresses_of(edge.policy)
    if sender.role is Role.BACKBONE:
        return [*addresses["outside"]]
    if sender.role is Role.TENANT:
        tenant = sender.path.split(".")[1]
        return [*addresses[f"tenants.{tenant}.mail"], *addresses[f"tenants.{tenant}.other"]]
    return [address for some in addresses.values() for address in some]


def first_stop(mail: Mail) -> str:
    return f"pools.{mail.proxies or mail.scanners}.members."


def gateways_of(tenant: Tenant) -> set[str]:
    return {f"tenants.{tenant.name}.gateways.{gateway.name}" for gateway in tenant.gateways}


@every_policy
def test_mail_for_a_tenant_reaches_its_first_stop_and_from_there_the_tenant(name: str) -> None:
    edge = reach(name)
    for tenant in edge.policy.tenants:
        mail = tenant.mail
        assert mail is not None
        members = {n.path for n in edge.neighbours if n.path.startswith(first_stop(mail))}
        for sender in edge.neighbours:
            for probe in probes_between(own_addresses(edge, sender), [*mail.servers]):  # type: ignore[arg-type]
                if probe.port != 25:
                    continue
                reached = edge.reached(sender, probe)
                if sender.path.startswith(first_stop(mail)):
                    families = {
                        f"tenants.{tenant.name}.gateways.{g.name}"
                        for g in tenant.gateways
                        if any(a.version == probe.destination.version for a in g.edge)
                    }
                    assert reached == families
                elif sender.role in (Role.RESPONDER, Role.DECOY, Role.ANTIVIRUS):
                    assert reached == set()
                elif sender.role is Role.GATEWAY or sender.path in gateways_of(tenant):
                    assert reached <= members
                    assert sender.role is not Role.GATEWAY or not reached
                else:
                    assert reached == members, f"{sender.path} -> {probe}"


@every_policy
def test_a_tenant_reaches_nothing_of_another_but_what_is_published(name: str) -> None:
    edge = reach(name)
    addresses = addresses_of(edge.policy)
    for sender in edge.neighbours:
        if sender.role is not Role.TENANT:
            continue
        for other in edge.policy.tenants:
            if sender.path in gateways_of(other):
                continue
            published = {
                (server, port)
                for service in other.services
                for server in service.servers
                for port in service.ports
            }
            targets = [*addresses[f"tenants.{other.name}.mail"], *addresses[f"tenants.{other.name}.other"]]
            for probe in probes_between(own_addresses(edge, sender), targets):  # type: ignore[arg-type]
                reached = edge.reached(sender, probe)
                if (probe.destination, probe.port) in published:
                    assert reached == gateways_of(other)
                else:
                    assert not reached & gateways_of(other), f"{sender.path} -> {probe}"


@every_policy
def test_nobody_reaches_the_edge_itself_but_proxies_scanners_and_clients_antivirus_servers(name: str) -> None:
    edge = reach(name)
    own = {
        whose: some for whose, some in addresses_of(edge.policy).items() if whose[:5] in ("pools", "uplin")
    }
    for sender in edge.neighbours:
        for whose, targets in own.items():
            for probe in probes_between(own_addresses(edge, sender), targets):  # type: ignore[arg-type]
                reached = edge.reached(sender, probe)
                if may_scan(sender) and whose == "pools.scanners.vip" and probe.port == 3310:
                    assert reached == {
                        n.path for n in edge.neighbours if n.path.startswith("pools.scanners.")
                    }
                elif may_update(edge.policy, sender) and whose == "pools.antivirus.vip" and probe.port == 80:
                    assert reached == {n.path for n in edge.neighbours if n.role is Role.ANTIVIRUS}
                else:
                    assert reached == set(), f"{sender.path} -> {whose} {probe}"


def may_scan(sender: Neighbour) -> bool:
    return sender.path.startswith("pools.proxies.")


def may_update(policy: Policy, sender: Neighbour) -> bool:
    tenants = [tenant for tenant in policy.tenants if tenant.antivirus]
    return sender.path.startswith("pools.scanners.") or any(sender.path in gateways_of(t) for t in tenants)


@every_policy
def test_nobody_speaks_under_a_foreign_address(name: str) -> None:
    edge = reach(name)
    addresses = addresses_of(edge.policy)
    for sender in edge.neighbours:
        if sender.role is Role.GATEWAY:
            continue
        foreign = [
            address
            for some in addresses.values()
            for address in some
            if address not in own_addresses(edge, sender)
        ]
        mails = [tenant.mail for tenant in edge.policy.tenants[:3]]
        targets = [server for mail in mails if mail for server in mail.servers]
        for probe in probes_between(foreign, targets):
            assert edge.reached(sender, probe) == set(), f"{sender.path} -> {probe}"
