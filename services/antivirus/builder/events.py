"""The events of the builder while it watches."""

from common.journal.events import COUNT, REASON, Event, info, integer, notice, text, texts, warning

_MODE = text("mode", "what is done with captures: `off`, `simulate` or `on`")
_SIGNATURES = texts("signatures", "names of the signatures")


class BuilderEvent(Event):
    """Events of `postern-av watch`."""

    BUILDER_STARTED = info("BuilderStarted", "The builder watches what decoys capture.", _MODE)
    BUILDER_STOPPED = info("BuilderStopped", "The builder was stopped.")
    MODE_CHANGED = notice(
        "ModeChanged", "The policy has another mode.", _MODE, text("before", "the mode until now")
    )
    CAPTURES_IMMUNIZED = notice(
        "CapturesImmunized",
        "Signatures made from captures were published on all rings.",
        _SIGNATURES,
        integer("generation", "number of the generation"),
    )
    CAPTURES_SIMULATED = info(
        "CapturesSimulated", "In mode `on`, these signatures would have been published.", _SIGNATURES
    )
    CAPTURES_NOT_IMMUNIZED = warning(
        "CapturesNotImmunized",
        "No signatures were made from captures; this is not tried again.",
        COUNT,
        REASON,
    )
    BUILD_DELAYED = info(
        "BuildDelayed", "Another process is changing the store; the captures are tried again.", REASON
    )
    BUILD_STEP = info(
        "BuildStep", "A step of building a generation has finished.", text("detail", "the step")
    )
    OFFICIAL_MIRRORED = info(
        "OfficialMirrored",
        "ClamAV's own databases are up to date, on ring canary.",
        integer("generation", "number of the generation"),
    )
    OFFICIAL_NOT_MIRRORED = warning(
        "OfficialNotMirrored", "ClamAV's own databases cannot be updated; the last ones are used.", REASON
    )
