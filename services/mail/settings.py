"""The gateway's settings, with the names that the gateway uses."""

from common.wire.mail import ClientTls, Disposition, ScanAction, ScannerAddress, ScanRule, ServerTls
from common.wire.mail import GatewayRole as Role
from common.wire.mail import MailSettings as Settings
from common.wire.mail import MailTenant as Tenant

__all__ = [
    "ClientTls",
    "Disposition",
    "Role",
    "ScanAction",
    "ScanRule",
    "ScannerAddress",
    "ServerTls",
    "Settings",
    "Tenant",
]
