"""A plan that was saved in a file: a policy, and the state of the edge for which it was made."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from common.wire.codec import Versioned


@dataclass(frozen=True, slots=True)
class PlannedSwitch:
    """`is_known`: the switch was connected, and had been read. `sends`: digest of what it would be sent.

    `text`: the same in brief, for people. `strays`: in how many places others had changed it.
    `strays_digest`: of these; `strays_texts`: some of them, for people. `settings`: how many of its settings
    would be put back, again with a digest and some texts.
    """

    is_known: bool
    sends: str
    text: str
    strays: int = 0
    strays_digest: str = ""
    strays_texts: tuple[str, ...] = ()
    settings: int = 0
    settings_digest: str = ""
    settings_texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedState(Versioned):
    """The state for which a plan was made. `revision`: of the policy in force then.

    `policy`: digest of the planned policy's text. `conditions`: what was not as usual, in words, by subject.
    """

    revision: int
    policy: str
    conditions: Mapping[str, str] = field(default_factory=dict)
    switches: Mapping[str, PlannedSwitch] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SavedPlan(Versioned):
    """`file`, `text`: the policy. `summary`: what it changes, in words, for people who read the file."""

    file: str
    text: str
    state: PlannedState
    made_at: str = ""  # UTC
    summary: tuple[str, ...] = ()
