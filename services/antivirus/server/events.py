"""The events of the anti-virus server."""

from common.journal.events import REASON, Event, error, info, integer, text, warning
from services.base.events import REVISION


class AntivirusServerEvent(Event):
    """Events of `postern-antivirus`."""

    ANTIVIRUS_SERVER_STARTED = info("AntivirusServerStarted", "The server answers clients.", REVISION)
    ANTIVIRUS_SERVER_STOPPED = info("AntivirusServerStopped", "The server was stopped.")
    GENERATION_SERVED = info(
        "GenerationServed",
        "The clients of a ring now get another generation.",
        text("ring", "name of the ring"),
        integer("serial", "serial number of the ring"),
        integer("generation", "number of the generation"),
    )
    GENERATION_REFUSED = error(
        "GenerationRefused", "What the builder published is not valid; the last generation stays.", REASON
    )
    NGINX_DIED = warning("NginxDied", "nginx ended unexpectedly; it is restarted.")
    NGINX_REFUSED = error("NginxRefused", "nginx cannot be started; this is tried again.", REASON)
    REPORTS_REFUSED = warning(
        "ReportsRefused",
        "The controller refused reports of clients, and they are lost. This is written once for each reason, "
        "until the controller accepts reports again.",
        integer("count", "number of clients' reports in the refused request"),
        REASON,
    )
