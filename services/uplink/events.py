"""The events of the uplink."""

from common.journal.events import Event, info, text
from services.base.events import REVISION


class UplinkEvent(Event):
    """Events of `postern-uplink`."""

    UPLINK_STARTED = info(
        "UplinkStarted",
        "The controller's API is available at a socket on this host.",
        text("api", "the API's address"),
        text("member", "the member whose settings are kept here; empty without `--member`"),
    )
    UPLINK_STOPPED = info("UplinkStopped", "The uplink was stopped.")
    SETTINGS_BROUGHT = info("SettingsBrought", "The settings file of this host was replaced.", REVISION)
