"""The paths that must work when everything runs: from outside, through the edge, to each mail server."""

from functools import partial

from lab import ipv6, probes
from lab.component import Component, Scene
from lab.errors import LabError


def build_parts(scene: Scene) -> list[Component]:
    outside = scene.network.hosts_with("outside")
    if not outside:
        raise LabError("this topology has no host outside, so mail cannot be sent")
    pin = scene.places.pin(outside[0].name)
    return [
        Component(
            name=f"mail to {tenant.name} at {server}",
            host=outside[0].name,
            command=(),
            log=scene.places.log("controller"),
            check=partial(probes.takes_mail, pin, str(server)),
        )
        for tenant in scene.policy.tenants
        if tenant.mail
        for server in ipv6.usable(tenant.mail.servers)
    ]
