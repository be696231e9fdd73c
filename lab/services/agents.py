"""The health agents: one beside each member of a pool with `health: agent`."""

import sys

from controller.api.client import ApiClient, ApiError
from controller.policy.model import HealthSource, Member, Policy, Pool, PoolKind
from lab.component import Component, Scene
from lab.namespaces import entering
from lab.paths import LabPaths
from lab.services.controllers import api_address


def build_parts(scene: Scene) -> list[Component]:
    return [
        _part(scene.places, pool, member, _looks_at(scene.policy, pool))
        for pool in scene.policy.pools
        if pool.health.by is HealthSource.AGENT
        for member in pool.members
    ]


def _looks_at(policy: Policy, pool: Pool) -> list[str]:
    """A decoy answers only at tenants' addresses: return a dark one."""
    if pool.kind is not PoolKind.DECOY:
        return []
    return ["--address", str(policy.tenants[0].prefixes[0][-2])]


def _part(places: LabPaths, pool: Pool, member: Member, more: list[str]) -> Component:
    name = f"{pool.name}.{member.name}"
    command = [
        sys.executable,
        "-P",
        "-m",
        "services.health_agent.main",
        "--api",
        api_address(places),
        "--member",
        name,
    ]
    command += more
    return Component(
        name=f"{member.name}.agent",
        host=member.name,
        command=tuple(entering(places.pin(member.name), command)),
        log=places.log(f"{member.name}.agent"),
        is_due=places.api.exists,
        check=lambda: _problem(places, pool.name, member.name),
    )


def _problem(places: LabPaths, pool: str, member: str) -> str:
    try:
        rows = [row for each in ApiClient(api_address(places)).get("/v1/pools") for row in each["members"]]
    except ApiError as error:
        return str(error)
    row = next((each for each in rows if (each["pool"], each["name"]) == (pool, member)), None)
    if row is None:
        return "the controller does not know this member"
    return "" if row["health"] == "good" else f"its health is {row['health']}: {row['detail']}"
