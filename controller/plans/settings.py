"""The settings of a switch, outside of its tables, that accepting a policy puts back. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b


@dataclass(frozen=True, slots=True)
class PlannedSetting:
    """A difference in the words of `postern drift`. `said`: all of it in one line.

    `text`: what is there now; "" if it is missing. `wanted`: what should be there; "" if it is foreign.
    `remedy`: what to do if it stays.
    """

    kind: str
    change: str
    text: str
    wanted: str
    rule: str
    remedy: str
    said: str


@dataclass(frozen=True, slots=True)
class SettingsPlan:
    """What others have set on a switch, by what becomes of it: it is put back, or it stays as it is.

    `refusal`: why the last attempt to put something back has failed; empty: it has not.
    """

    put_back: tuple[PlannedSetting, ...] = ()
    staying: tuple[PlannedSetting, ...] = ()
    refusal: str = ""

    @property
    def digest(self) -> str:
        """Return a text that is the same for the same settings that are put back; empty for none."""
        if not self.put_back:
            return ""
        known = blake2b(digest_size=16)
        for line in sorted(each.said for each in self.put_back):
            known.update(line.encode("utf-8", "surrogatepass") + b"\0")
        return known.hexdigest()

    def warnings(self, switch: str) -> Iterator[str]:
        """Yield what putting settings back does to sessions, and whether it may fail."""
        if self.put_back and self.refusal:
            yield f"switch {switch}: the last attempt to put its settings back has failed: {self.refusal}"
        if any(each.text.startswith("datapath_type ") for each in self.put_back):
            yield (
                f"switch {switch}: its datapath_type is put back, so Open vSwitch creates the bridge again: "
                "its flows are sent again, and open sessions through it may end"
            )


NO_SETTINGS = SettingsPlan()
