"""The gateway's settings, with the names that the gateway uses."""

from common.wire.codec import Loaded
from common.wire.mail import Disposition, ScannerAddress, ScanRule
from common.wire.mail import GatewayRole as Role
from common.wire.mail import MailSettings as Settings
from common.wire.mail import MailTenant as Tenant
from services.base.settings import read_settings

__all__ = ["Disposition", "Role", "ScanRule", "ScannerAddress", "Settings", "Tenant", "parse_settings"]


def parse_settings(text: str) -> Loaded[Settings]:
    """Read the gateway's settings. Raise `SettingsError`."""
    return read_settings(Settings, text)
