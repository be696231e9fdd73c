"""The kinds of hosts, and which record each kind's settings are."""

from collections.abc import Mapping

from common.wire.antivirus import AntivirusSettings
from common.wire.codec import check_format
from common.wire.decoy import DecoySettings
from common.wire.mail import GatewayRole, MailSettings
from common.wire.responder import ResponderSettings
from common.wire.settings import HostSettings

SETTINGS_BY_ROLE: Mapping[str, type[HostSettings]] = {
    GatewayRole.PROXY.value: MailSettings,
    GatewayRole.SCANNER.value: MailSettings,
    "responder": ResponderSettings,
    "decoy": DecoySettings,
    "antivirus": AntivirusSettings,
}


def check_settings_format(media: Mapping[str, object]) -> None:
    """Raise `RecordError` if programs of this release would refuse settings of this format.

    Settings for a kind of host that this release does not know pass.
    """
    kind = SETTINGS_BY_ROLE.get(str(media.get("role")))
    if kind is not None:
        check_format(kind, media)
