"""Events that several programs on hosts write."""

from common.journal.events import (
    COUNT,
    REASON,
    REMEDY,
    Event,
    error,
    info,
    integer,
    notice,
    number,
    text,
    texts,
    warning,
)

REVISION = integer("revision", "revision of the policy that the settings were made from")
SESSIONS_ENDED = integer("sessions_ended", "sessions that were still open and were ended")
_FILE = text("file", "path of the settings file")
_EXAMPLES = texts("examples", "the first refusals, as the controller worded them")
UNKNOWN_KEYS = texts("unknown_keys", "keys from a newer controller, which this program ignores")
_WAITING = integer("waiting", "number of pieces of evidence waiting to be sent")


class DaemonEvent(Event):
    """Events that several programs on hosts share."""

    SETTINGS_LOADED = info(
        "SettingsLoaded",
        "New settings are in force.",
        REVISION.optional,
        UNKNOWN_KEYS.optional,
        integer("tenants", "number of tenants in the settings").optional,
        texts("cowries", "Cowrie processes that the personas need").optional,
    )
    SETTINGS_REFUSED = error(
        "SettingsRefused",
        "Settings cannot be used; the last good ones stay in force.",
        REASON,
        _FILE.optional,
        text("tenant", "the only tenant that is affected").optional,
    )
    LOG_NOT_REOPENED = error(
        "LogNotReopened",
        "The journal's file could not be reopened after SIGHUP; the old file stays in use.",
        REASON,
    )
    TASK_FAILED = error(
        "TaskFailed",
        "A task of the program failed with an unexpected error; it restarts after a pause.",
        text("task", "which task"),
        REASON,
        number("again_in_s", "seconds until the task restarts"),
    )
    SESSION_REFUSED = info(
        "SessionRefused",
        "A client was refused before the greeting. In a flood, only the first few have a line each.",
        text("client", "the client's address"),
        integer("port", "the client's port").optional,
        text("server", "the address that the client connected to"),
        text("reply", "the reply to the client; empty: none"),
    )
    SESSIONS_SHED = warning(
        "SessionsShed", "Clients were refused that have no line of their own; they are counted here.", COUNT
    )
    EVIDENCE_REFUSED = warning(
        "EvidenceRefused",
        "The controller refused pieces of evidence; they are not sent again.",
        COUNT,
        _EXAMPLES,
    )
    EVIDENCE_LOST = warning(
        "EvidenceLost",
        "Evidence was dropped, oldest first, while the controller could not be reached.",
        COUNT,
    )
    CONTROLLER_AWAY = warning(
        "ControllerAway",
        "The controller cannot be reached. This is reported once, until it can be reached again.",
        REASON,
        _WAITING.optional,
        text("origin", "the origin whose decisions wait to be sent").optional,
    )
    CONTROLLER_BACK = notice("ControllerBack", "The controller can be reached again.", _WAITING.optional)
    IPV6_MISSING = warning(
        "Ipv6Missing",
        "This host cannot serve IPv6; IPv4 is served.",
        text("lost", "what is not available to clients"),
        REASON,
        REMEDY,
    )
