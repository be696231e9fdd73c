"""The events of the controller."""

from common.journal.events import (
    COUNT,
    REASON,
    Event,
    error,
    flag,
    info,
    integer,
    integers,
    notice,
    number,
    text,
    texts,
    warning,
)

_REVISION = integer("revision", "revision of the policy")
_FILE = text("file", "path of the policy file, or where the policy came from")
_SWITCH = text("switch", "name of the switch in the policy")
_DPID = integer("dpid", "OpenFlow number of the switch")
_LINK = text("link", "the trunk, by its path in the policy")
_POOL = text("pool", "name of the pool")
_MEMBER_PATH = text("member", "pool and name of the member")
_CONNECTIONS = integer("connections", "how many sessions")
_PORT = (_SWITCH, integer("port", "number of the port"), text("name", "name of the port"))
_CLIENT = (
    text("asker", "the tenant, or the pool of the scanner"),
    text("host", "the name that the host reports"),
    text("client", "number of the client"),
)
_FLOOD = (
    text("tenant", "the tenant whose limit it is, and the direction if it is outgoing"),
    integer("packets_per_s", "new connections per second"),
    integer("limit_per_s", "the limit in the policy"),
)
_DECISION = integer("decision", "number of the decision")
_SCOPE = text("scope", "source, and which of its traffic is affected")
_ALLOWANCE = integer("allowance", "number of the entry in the allow-list")
_SOURCE = text("source", "address or network of the source")
_BY = text("by", "the name and role that requested it")
_CHANGE = (
    _BY,
    text("command", "name of the command"),
    text("subject", "what the change is about, in brief"),
    REASON,
)
_SUBJECT = text("subject", "what was to be proved: what the switches hold, or a plan")
_DRIFT = (
    _SWITCH,
    COUNT,
    text("difference", "the gravest one; empty in a line that counts what had no line of its own"),
    text("rule", "path of the policy rule to which it belongs; empty if it is foreign"),
    text("place", "file and line of that rule"),
)
_EMPTY = (
    _POOL,
    texts("tenants", "tenants that are affected"),
    texts("consequences", "the effect on their traffic"),
)


class ControllerEvent(Event):
    """Events of the controller."""

    CONTROLLER_STARTED = info(
        "ControllerStarted", "The controller has started.", text("policy", "path of the policy")
    )
    POLICY_ACCEPTED = info(
        "PolicyAccepted", "A policy was accepted; switches are sent it.", _REVISION, _FILE, _BY
    )
    POLICY_REFUSED = error("PolicyRefused", "A policy has errors; nothing changed.", _FILE, REASON, _BY)
    LAST_GOOD_POLICY_KEPT = error(
        "LastGoodPolicyKept",
        "The policy file had errors at the start; the last good policy is used.",
        _REVISION,
        REASON,
    )
    HOME_MOVED = notice("HomeMoved", "A tenant has a new home switch; its open sessions end.", REASON)
    GATEWAYS_NOT_PUBLISHED = error(
        "GatewaysNotPublished", "Settings cannot be written; hosts keep the previous ones.", REASON
    )
    CHANGE_MADE = notice(
        "ChangeMade",
        "What the edge does was changed. The reason is that of the principal, and may be empty.",
        *_CHANGE,
        integer("revision_before", "revision of the policy before the change"),
        _REVISION,
    )
    CHANGE_REFUSED = warning(
        "ChangeRefused",
        "A change was refused, or it failed. The reason is that of the principal, and may be empty.",
        *_CHANGE,
        text("refusal", "why it was refused"),
    )
    MANY_CHANGES_ASKED = notice(
        "ManyChangesAsked",
        "A principal has asked for more changes within a minute than get a line each.",
        _BY,
        text("command", "name of the command"),
        COUNT,
        flag("refused", "they were refused"),
    )
    SWITCH_CONNECTED = info("SwitchConnected", "A switch connected.", _SWITCH, _DPID)
    SWITCH_DISCONNECTED = warning(
        "SwitchDisconnected", "A switch has disconnected; it keeps forwarding.", _SWITCH, _DPID
    )
    SWITCH_FELL_SILENT = error(
        "SwitchFellSilent",
        "A connected switch does not answer: what it holds is not known, and changes do not reach it.",
        _SWITCH,
    )
    SWITCH_ANSWERED = notice("SwitchAnswered", "A switch that was silent answers again.", _SWITCH)
    UNKNOWN_SWITCH_CONNECTED = warning(
        "UnknownSwitchConnected",
        "A switch that is not in the policy has connected; Postern does not change it.",
        _DPID,
    )
    SWITCH_READ = info(
        "SwitchRead",
        "The controller has read what a switch holds.",
        _SWITCH,
        integer("flows", "number of flows"),
    )
    PLAN_SENT = info(
        "PlanSent", "A change was sent to a switch.", _SWITCH, text("plan", "the change in brief")
    )
    SENT_OTHER_THAN_PLANNED = warning(
        "SentOtherThanPlanned",
        "For an accepted policy, a switch was sent something else than was planned.",
        _SWITCH,
        _REVISION,
        REASON,
    )
    REVISION_CONFIRMED = info(
        "RevisionConfirmed",
        "A switch holds exactly the policy of this revision, and no differences.",
        _SWITCH,
        _REVISION,
    )
    PLAN_REFUSED = error(
        "PlanRefused",
        "A switch refused a change. It is sent again, less and less often; further refusals have no line.",
        _SWITCH,
        REASON,
    )
    SWITCH_SETTINGS_REFUSED = error(
        "SwitchSettingsRefused",
        "The ports or settings of a switch cannot be put back. It is tried again, less and less often.",
        _SWITCH,
        REASON,
    )
    REFUSAL_ENDED = notice(
        "RefusalEnded",
        "A switch has taken what it had refused, or it need not take it any more. The reason is the old one.",
        _SWITCH,
        REASON,
    )
    MANY_SWITCH_EVENTS = notice(
        "ManySwitchEvents",
        "A switch has caused more events of one kind within a minute than get a line each.",
        _SWITCH,
        text("events", "name of these events, and the port if they are of one"),
        COUNT,
    )
    DRIFT_FOUND = error(
        "DriftFound",
        "Another client has changed a switch: it holds something that no rule asks for, or misses something.",
        *_DRIFT,
    )
    DRIFT_REPAIRED = notice(
        "DriftRepaired", "A switch was put right after another client changed it.", *_DRIFT
    )
    DRIFT_ENDED = notice(
        "DriftEnded", "A switch holds what it should again, although nothing was repaired.", *_DRIFT
    )
    SWITCH_NOT_MONITORED = warning(
        "SwitchNotMonitored",
        "A switch does not report changes of its flows, so it is read as a whole again and again.",
        _SWITCH,
        REASON,
        number("seconds", "how often it is read"),
    )
    BAD_MESSAGE_RECEIVED = warning("BadMessageReceived", "A switch sent an invalid message.", _DPID, REASON)
    PORT_MISSING = warning(
        "PortMissing",
        "A switch does not have ports that the policy names.",
        _SWITCH,
        integers("ports", "numbers of the ports"),
    )
    PORT_WENT_DOWN = warning("PortWentDown", "A port is down or was deleted.", *_PORT)
    PORT_CAME_UP = notice("PortCameUp", "A port is up.", *_PORT)
    CABLING_WRONG = error("CablingWrong", "A trunk is not cabled as in the policy.", _LINK, REASON)
    CABLING_RIGHT = notice("CablingRight", "A trunk is cabled as in the policy again.", _LINK)
    BRIDGES_WATCHED = info("BridgesWatched", "Open vSwitch's database is watched for changes to bridges.")
    BRIDGES_NOT_WATCHED = error(
        "BridgesNotWatched",
        "Open vSwitch's database cannot be read, so changes to bridges are not seen.",
        REASON,
    )
    BRIDGE_NOT_REPAIRED = error("BridgeNotRepaired", "A bridge could not be repaired.", _SWITCH, REASON)
    BRIDGE_NOT_REMEMBERED = error(
        "BridgeNotRemembered", "What a bridge is when it is good could not be stored or read.", REASON
    )
    MEMBER_CHANGED = notice(
        "MemberChanged",
        "The state of a pool member has changed.",
        _POOL,
        text("member", "name of the member"),
        text("state", "its state now"),
        text("before", "its state before"),
        integer("sessions", "its open sessions; null if they are not counted").optional,
        text("detail", "what the health agent reported"),
        _BY.optional,
    )
    MEMBER_UNHEARD = warning(
        "MemberUnheard",
        "A member's health agent has been silent for longer than `silence`; new sessions may still go to it.",
        _POOL,
        text("member", "name of the member"),
        number("seconds", "since when, in seconds"),
    )
    MEMBER_HEARD_AGAIN = notice(
        "MemberHeardAgain",
        "A member's health agent reports again, or the member was drained or removed.",
        _POOL,
        text("member", "name of the member"),
    )
    MEMBER_HELD_DOWN = warning(
        "MemberHeldDown",
        "A member has failed repeatedly, and is held down for a while.",
        _POOL,
        text("member", "name of the member"),
        number("seconds", "how long it is held down"),
        REASON,
    )
    MEMBER_LEFT = info("MemberLeft", "A removed member has finished its last session.", _MEMBER_PATH)
    SESSIONS_CUT = notice(
        "SessionsCut", "The orphaned sessions of a member were ended.", _MEMBER_PATH, _CONNECTIONS
    )
    SESSIONS_FORGOTTEN = notice(
        "SessionsForgotten",
        "A restarted switch has forgotten open sessions.",
        _SWITCH,
        _CONNECTIONS,
    )
    SESSIONS_NOT_COUNTED = error("SessionsNotCounted", "Open sessions cannot be read from a switch.", REASON)
    POOL_BECAME_EMPTY = error(
        "PoolBecameEmpty",
        "A pool takes no new sessions: it is empty or full, or its members are still joining.",
        *_EMPTY,
    )
    POOL_CAME_BACK = notice("PoolCameBack", "A pool takes new sessions again.", *_EMPTY)
    SOURCE_SUSPECTED = notice(
        "SourceSuspected",
        "The score of a source reached a level.",
        _SOURCE,
        number("score", "the score"),
        text("level", "the level in the policy"),
        integer(
            "allowed", "number of the entry in the allow-list that prevents a decision, else null"
        ).optional,
    )
    DECISION_MADE = notice(
        "DecisionMade",
        "A decision about a source was made; switches are sent it.",
        _DECISION,
        _SCOPE,
        text("action", "`limit`, `decoy`, `drop` or `watch`"),
        text("origin", "where the decision comes from"),
        text("scenario", "the origin's name for the incident"),
        REASON,
        number("seconds", "how long it is in force"),
        flag("simulated", "the decision is recorded, but has no effect"),
        _BY,
    )
    DECISION_ENDED = notice("DecisionEnded", "A decision has ended.", _DECISION, _SCOPE, REASON, _BY)
    MANY_DECISIONS_CHANGED = notice(
        "ManyDecisionsChanged",
        "Many decisions changed at once; those without a line of their own are counted here.",
        integer("made", "further decisions that were made"),
        integer("ended", "further decisions that ended"),
        integer("evicted", "decisions that were removed to make room for others"),
    )
    DECISIONS_REFUSED = warning("DecisionsRefused", "Decisions were refused.", COUNT, REASON)
    DECISIONS_NOT_STORED = error(
        "DecisionsNotStored", "Decisions could not be stored; they hold until the next start.", REASON
    )
    SOURCE_CUT = notice(
        "SourceCut", "The open sessions of a source were ended by a decision.", _SCOPE, _CONNECTIONS
    )
    SOURCE_ALLOWED = notice("SourceAllowed", "A source is on the allow-list.", _ALLOWANCE, _SOURCE, _BY)
    ALLOWANCE_ENDED = notice(
        "AllowanceEnded", "A source is no longer on the allow-list.", _ALLOWANCE, _SOURCE, REASON, _BY
    )
    TENANT_FLOODED = warning(
        "TenantFlooded", "A tenant gets more new connections than its limit allows.", *_FLOOD
    )
    FLOOD_ENDED = notice("FloodEnded", "A tenant's new connections are below its limit again.", *_FLOOD)
    CLIENT_STALE = warning(
        "ClientStale", "A client's signatures are too old, or it has stopped reporting.", *_CLIENT, REASON
    )
    CLIENT_CURRENT = notice("ClientCurrent", "A client has its ring's signatures again.", *_CLIENT, REASON)
    ENGINE_END_OF_LIFE = warning(
        "EngineEndOfLife", "A client's ClamAV is no longer supported.", *_CLIENT, REASON
    )
    NETWORK_NOT_REMEMBERED = error(
        "NetworkNotRemembered",
        "The state of members and ports could not be stored or read; a restart begins without it.",
        REASON,
    )
    CLIENTS_NOT_STORED = error("ClientsNotStored", "Reports of clients could not be stored.", REASON)
    PROOF_MADE = info(
        "ProofMade",
        "What the switches hold is proved, for all packets. Written at a change and once a minute at most.",
        _REVISION,
        texts("switches", "names of the switches that were proved"),
        texts("missing", "switches that could not be proved, and why"),
        integer("flows", "number of flows"),
        number("seconds", "how long it took"),
    )
    PROOF_FAILED = error(
        "ProofFailed",
        "A packet gets through that must not. The first one that was found is given.",
        _SUBJECT,
        _REVISION,
        text("claim", "what was to be proved"),
        text("sender", "the neighbour that sends the packet"),
        text("receiver", "the neighbour that gets it"),
        text("packet", "the packet"),
        text("opener", "the packet that opened its session; empty if there is none"),
        texts("flows", "the flows that let it through, in order"),
        texts("rules", "paths of the policy's rules behind these flows"),
        flag("confirmed", "the packet was replayed step by step; otherwise it is possible"),
        COUNT,
    )
    PROOF_NOT_FINISHED = warning(
        "ProofNotFinished", "A proof could not be finished; it is tried again.", _SUBJECT, _REVISION, REASON
    )
    PLAN_FORCED = warning(
        "PlanForced",
        "An operator has forced a policy: it is in force without a proof.",
        _REVISION,
        _FILE,
        _BY,
        REASON,
    )
    PROVER_STARTED = info(
        "ProverStarted", "The proving process runs.", integer("pid", "number of the process")
    )
    PROVER_ENDED = warning(
        "ProverEnded",
        "The proving process has ended, or was ended because it hung; it is started again.",
        REASON,
        number("pause_s", "seconds until it is started again"),
    )
    API_NOT_SERVED = error("ApiNotServed", "The API cannot be served over HTTPS.", REASON)
