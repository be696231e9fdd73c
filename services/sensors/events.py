"""The events of the sensors."""

from common.journal.events import (
    REASON,
    REMEDY,
    Event,
    error,
    flag,
    info,
    integer,
    notice,
    text,
    texts,
    warning,
)

_FEED = text("feed", "name of the feed")
_HELD = (
    integer("held", "entries that stay in force"),
    text("held_from", "when those were fetched").optional,
)
_FILE = text("file", "path of the file")
_ENTRIES = integer("entries", "entries in the list")
_SURICATA = text("suricata", "name of the Suricata in the settings")
_REFUSED = (
    integer("added", "decisions that are new").optional,
    integer("deleted", "decisions that have ended").optional,
    integer("kept", "decisions that stay").optional,
    integer("refused", "decisions that the controller refused").optional,
    texts("examples", "the first refusals, as the controller worded them").optional,
)


class SensorsEvent(Event):
    """Events of `postern-sensors`."""

    SENSORS_STARTED = info(
        "SensorsStarted", "The sensors in the settings are running.", texts("sensors", "names of the sensors")
    )
    SENSORS_STOPPED = info("SensorsStopped", "The program was stopped.")
    ORIGIN_REPLACED = info(
        "OriginReplaced",
        "The controller holds the newest list of an origin.",
        text("origin", "the origin of the decisions"),
        *_REFUSED,
    )
    FEED_ACCEPTED = info(
        "FeedAccepted",
        "A new list of a feed is in force.",
        _FEED,
        _ENTRIES,
        integer("before", "entries of the previous list"),
        integer("unreadable", "lines that cannot be parsed"),
        integer("left_out", "entries that the guards left out"),
        texts("examples", "the first entries that were left out"),
    )
    FEED_UNCHANGED = info("FeedUnchanged", "A feed has the same list as before.", _FEED, _ENTRIES)
    FEED_REFUSED = error(
        "FeedRefused",
        "The guards refused a list; the last good one stays in force.",
        _FEED,
        REASON,
        REMEDY,
        *_HELD,
    )
    FEED_UNREACHABLE = warning(
        "FeedUnreachable",
        "A feed cannot be fetched; the last good list stays in force.",
        _FEED,
        REASON,
        *_HELD,
    )
    FEED_NOT_KEPT = error("FeedNotKept", "The copy of a list cannot be written.", _FEED, REASON, _FILE)
    FEED_COPY_UNUSABLE = warning(
        "FeedCopyUnusable", "The copy of a list cannot be read.", _FEED, REASON, _FILE
    )
    FEED_TOO_OLD = warning(
        "FeedTooOld", "A list is too old to be kept in force; its decisions end.", _FEED, *_HELD
    )
    FEED_FORGOTTEN = notice(
        "FeedForgotten", "A feed is no longer in the settings; its decisions ended.", _FEED
    )
    CROWDSEC_SYNCED = info(
        "CrowdSecSynced",
        "The controller holds all of CrowdSec's decisions.",
        integer("held", "decisions that it holds"),
        integer("left_out", "decisions that were left out"),
    )
    CROWDSEC_CHANGED = info(
        "CrowdSecChanged",
        "CrowdSec's decisions changed, or the controller refused some of the changes.",
        integer("new", "decisions that are new").optional,
        integer("gone", "decisions that have ended").optional,
        *_REFUSED,
    )
    CROWDSEC_AWAY = warning(
        "CrowdSecAway",
        "CrowdSec's API cannot be used; its last decisions stay in force.",
        text("url", "address of the API"),
        REASON,
        integer("held", "decisions that stay in force"),
    )
    SURICATA_FOLLOWED = notice("SuricataFollowed", "Suricata's log can be read again.", _SURICATA)
    SURICATA_UNREADABLE = error(
        "SuricataUnreadable", "Suricata's log, or the position in it, cannot be used.", _SURICATA, REASON
    )
    SURICATA_COUNTED = info(
        "SuricataCounted",
        "How Suricata's lines were handled since the last such event.",
        _SURICATA,
        *(
            integer(name, meaning).optional
            for name, meaning in (
                ("alerts", "alerts that became evidence"),
                ("garbage", "lines that cannot be parsed"),
                ("overlong", "lines that were too long"),
                ("not_severe_enough", "alerts below the severity in the settings"),
                ("inside", "alerts between tenants' own addresses"),
                ("not_ours", "alerts that concern no tenant"),
                ("begun_by_the_tenant", "alerts about connections that a tenant's host began"),
                (
                    "the_rule_calls_the_outside_the_victim",
                    "alerts whose rule names the outside as the victim",
                ),
                ("writers_turned_away", "connections over the limit of the socket"),
            )
        ),
    )
    TENANTS_LOADED = info(
        "TenantsLoaded", "The file with tenants' addresses was read.", integer("tenants", "number of tenants")
    )
    TENANTS_REFUSED = error(
        "TenantsRefused",
        "The file with tenants' addresses cannot be used; the last good one stays in force.",
        _FILE,
        REASON,
        flag("first", "there is no last good one"),
    )
