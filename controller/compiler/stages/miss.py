"""Flows that drop what no other flow of a table matches.

A table without such a flow drops it as well, but only while the table has its default configuration: a
client with an older version of OpenFlow can make a miss go on to the next table (OpenFlow 1.1, A.3.3), and
no monitor and no dump of flows shows that. With these flows, no packet ever misses, and what was dropped
is counted.
"""

from collections.abc import Iterable, Iterator

from controller.compiler.view import SwitchView
from controller.pipeline import priorities
from controller.pipeline.flows import Flow, LookUpConnection, match
from controller.pipeline.tables import Table


def build_flows(view: SwitchView, others: Iterable[Flow]) -> Iterator[Flow]:
    """Yield a flow for each table that packets enter, unless the others match every packet there already.

    Not for tables that are entered by `resubmit` only (`recall`, `sample`): there a miss has no consequence
    (ofproto/ofproto-dpif-xlate.c, `honor_table_miss`).
    """
    flows = tuple(others)
    entered = {flow.goto for flow in flows} | {
        action.then for flow in flows for action in flow.actions if isinstance(action, LookUpConnection)
    }
    complete = {flow.table for flow in flows if flow.match == match()}
    for table in Table:
        if table is Table.ADMISSION or table in entered - complete:
            yield Flow(table, priorities.MISS, match(), (), None, f"switches.{view.switch.name}")
