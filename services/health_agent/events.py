"""The events of the health agent."""

from common.journal.events import REASON, Event, info, notice, text, warning
from services.base.events import UNKNOWN_KEYS


class HealthAgentEvent(Event):
    """Events of `postern-agent`."""

    HEALTH_AGENT_STARTED = info(
        "HealthAgentStarted",
        "The agent checks a member.",
        text("member", "pool and name of the member"),
        text("address", "where the member's services are checked"),
    )
    HEALTH_AGENT_STOPPED = info("HealthAgentStopped", "The agent was stopped.")
    CHECKS_PASSED = notice("ChecksPassed", "The member is healthy; this was reported to the controller.")
    CHECKS_FAILED = warning(
        "ChecksFailed", "The member is unhealthy; this was reported to the controller.", REASON
    )
    SIGNATURES_STALE = warning(
        "SignaturesStale", "The member is healthy, but its signatures are too old.", REASON
    )
    KEYS_UNKNOWN = notice(
        "KeysUnknown",
        "The controller's settings have keys that this version of the agent does not know; they are ignored.",
        UNKNOWN_KEYS,
    )
    CHECKS_CHANGED = info("ChecksChanged", "The controller changed the checks or their interval.")
