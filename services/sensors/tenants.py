"""The tenants' addresses, from the settings or from the file that the controller writes."""

from ipaddress import ip_address

from common.journal.journal import Report
from services.base.settings import Network, SettingsError
from services.base.watched import WatchedFile
from services.sensors.events import SensorsEvent
from services.sensors.settings import Settings, Tenant, parse_tenants


class TenantLookup:
    """Finds the tenant of an address. A file with errors changes nothing."""

    def __init__(self, settings: Settings, report: Report) -> None:
        self._tenants = settings.tenants
        self._report = report
        self._file = WatchedFile(settings.tenants_file) if settings.tenants_file else None
        self._is_new = self._file is not None
        self.look()

    def look(self) -> None:
        """Reload the file if it has changed."""
        if self._file is None or not (self._is_new or self._file.has_changed()):
            return
        was_new, self._is_new = self._is_new, False
        try:
            self._tenants = parse_tenants(self._file.read())
        except (OSError, UnicodeDecodeError, SettingsError) as error:
            self._report(
                SensorsEvent.TENANTS_REFUSED, file=str(self._file.path), reason=str(error), first=was_new
            )
        else:
            self._report(SensorsEvent.TENANTS_LOADED, tenants=len(self._tenants))

    def prefixes(self) -> tuple[Network, ...]:
        self.look()
        return tuple(prefix for tenant in self._tenants for prefix in tenant.prefixes)

    def owner(self, address: str) -> Tenant | None:
        """Return the tenant of an address; None for an outside address or a text that is not an address."""
        try:
            found = ip_address(address)
        except ValueError:
            return None
        for tenant in self._tenants:
            if any(found in prefix for prefix in tenant.prefixes):
                return tenant
        return None
