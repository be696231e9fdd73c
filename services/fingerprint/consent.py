"""Checks that a server may be learned from. Only the controller decides this, by the tenant's policy."""

import re

from common.api import ApiAccess
from services.base import controller
from services.personas.model import Address

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")


class NoConsent(Exception):
    """The tenant does not consent, or its consent is not known; the text has a remedy."""


async def require_consent(api: ApiAccess, tenant: str, addresses: tuple[Address, ...]) -> None:
    """Raise `NoConsent` unless the tenant's policy consents, and every address belongs to its servers."""
    if not _NAME.fullmatch(tenant):
        raise NoConsent(f"{tenant!r:.70} is not a valid name of a tenant; remedy: write it as in the policy")
    try:
        answer = await controller.request(api, "GET", f"/v1/tenants/{tenant}/consent")
    except controller.NotHeard as error:
        raise NoConsent(
            f"the consent of {tenant} is not known: {error}; remedy: give the controller's API with --api"
        ) from error
    said = answer if isinstance(answer, dict) else {}
    if said.get("tenant") != tenant or said.get("consent") is not True:
        raise NoConsent(
            f"{tenant} has not consented to learning; "
            "remedy: ask the tenant, "
            f"then write `consent_to_learning: true` under tenants.{tenant} in the policy"
        )
    theirs = said.get("addresses")
    theirs = theirs if isinstance(theirs, list) else []
    for address in addresses:
        if str(address) not in theirs:
            servers = ", ".join(map(str, theirs))[:300] or "none"
            raise NoConsent(f"{address} is not a server of {tenant}; remedy: name one of {servers}")
