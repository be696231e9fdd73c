"""What accepting a policy does to each switch: what it is sent, and which of its settings are put back."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from controller.drift.model import Difference
from controller.drift.rehearsal import SettingsRehearsal
from controller.plans.settings import PlannedSetting, SettingsPlan
from controller.plans.switches import SwitchPlan, switch_plan
from controller.runtime.bridges import BridgeWatch
from controller.runtime.prospect import Prospect
from controller.runtime.switch_settings import SettingsWatch
from controller.runtime.switches import Switches

_NOTHING = SettingsRehearsal()


class SwitchForesight:
    """The watches put settings back when a policy is accepted, also with `drift: report`."""

    def __init__(self, switches: Switches, bridges: BridgeWatch, settings: SettingsWatch) -> None:
        self._switches, self._bridges, self._settings = switches, bridges, settings

    def rehearse(self, now: float, prospect: Prospect) -> tuple[SwitchPlan, ...]:
        """Return what each switch of a policy would be sent, and what would be put back."""
        found = self._switches.rehearse(now, prospect.written, prospect.wires, prospect.decisions.patches)
        of_bridges = self._bridges.rehearse(prospect.carried)
        of_settings = self._settings.rehearse(prospect.carried)
        dpids = {switch.name: switch.dpid for switch in prospect.carried.switches}
        plans = []
        for name, each in found.items():
            settings = _merged(of_bridges.get(name, _NOTHING), of_settings.get(name, _NOTHING))
            refusal = self._bridges.refusal(name) or self._settings.refusal(dpids[name])
            plans.append(replace(switch_plan(name, each), settings=replace(settings, refusal=refusal)))
        return tuple(plans)


def _merged(bridge: SettingsRehearsal, settings: SettingsRehearsal) -> SettingsPlan:
    """What both have found is one difference; the database says more about it, as in `postern drift`."""
    put_back = {each.key: each for each in (*settings.put_back, *bridge.put_back)}
    staying = {each.key: each for each in (*settings.staying, *bridge.staying)}
    return SettingsPlan(
        tuple(_worst_first(put_back.values())),
        tuple(_worst_first(each for key, each in staying.items() if key not in put_back)),
    )


def _worst_first(found: Iterable[Difference]) -> Iterator[PlannedSetting]:
    for each in sorted(found, key=lambda each: each.rank):
        yield PlannedSetting(
            each.kind.value, each.change.value, each.text, each.wanted, each.rule, each.remedy, str(each)
        )
