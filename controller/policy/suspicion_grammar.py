"""The grammar of a policy's `suspicion`, as data: a part of `grammar`."""

from common.config import kinds
from common.config.grammar import Key, Record
from common.config.kinds import choice, duration, whole_number
from controller.policy import build
from controller.policy.evidence import EVIDENCE
from controller.policy.model import Action, Level, OpenSessions

LEVEL = Record(
    {
        "score": Key(whole_number(1, 1_000_000), "score at which a source reaches this level", True),
        "action": Key(choice(Action), "what happens to its new connections", True),
        "for": Key(duration("1s", "400d"), "duration of the first decision", True, field="duration_s"),
        "sessions": Key(choice(OpenSessions), "what happens to its open sessions", default="keep"),
    },
    Level,
)
WEIGHTS = Record(
    {
        kind: Key(whole_number(0, 1_000), means, otherwise=str(weight))
        for kind, (weight, means) in EVIDENCE.items()
    }
)
CAPS = Record(
    {
        "whole": Key(
            whole_number(1, 1_000_000),
            "maximum number of decisions; beyond it, the least certain and oldest are removed",
            default="150000",
            field="cap",
        ),
        "origin": Key(
            whole_number(1, 1_000_000),
            "maximum decisions of one origin; more are refused",
            default="120000",
            field="cap_of_origin",
        ),
        "tenant": Key(
            whole_number(1, 1_000_000),
            "maximum decisions for a single tenant; more are refused",
            default="50000",
            field="cap_of_tenant",
        ),
    }
)
SUSPICION = Record(
    {
        "half_life": Key(
            duration("1m", "30d"), "time after which a score has decayed to half of its value", default="1h"
        ),
        "suspect": Key(LEVEL, "the first level", otherwise="score 25: decoy for 1h"),
        "hostile": Key(LEVEL, "the second level", otherwise="score 100: decoy for 1d, open sessions cut"),
        "repeat": Key(
            whole_number(1, 10),
            "factor by which each further decision about a source lasts longer",
            default="2",
        ),
        "longest": Key(duration("1m", "400d"), "maximum duration of a decision", default="30d"),
        "crowd": Key(
            whole_number(0, 256),
            "number of suspicious sources in one /24 (IPv6: /48) that makes the whole network suspicious; "
            "0: never",
            default="5",
        ),
        "simulate": Key(
            kinds.FLAG, "record decisions without enforcing them", default="false", field="is_simulated"
        ),
        "limit_per_second": Key(
            whole_number(1, 100_000),
            "maximum new connections per second of a source under `limit`, at each switch",
            default="10",
            field="limit_per_s",
        ),
        "caps": Key(CAPS, "maximum number of decisions"),
        "weights": Key(WEIGHTS, "what each kind of evidence adds to a score; 0: nothing"),
    },
    build.suspicion,
)
