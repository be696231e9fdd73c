"""The gateway's settings, with the names that the gateway uses."""

from common.wire.mail import Disposition, ScannerAddress, ScanRule
from common.wire.mail import GatewayRole as Role
from common.wire.mail import MailSettings as Settings
from common.wire.mail import MailTenant as Tenant

__all__ = ["Disposition", "Role", "ScanRule", "ScannerAddress", "Settings", "Tenant"]
