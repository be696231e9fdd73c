"""The queue of flows of decisions: what is sent next, and how long it takes to say so."""

import time

from controller.sync.overlay import MOST_PER_PLAN, Overlay
from controller.sync.state import WireFlow, WireKey


def flows(count: int) -> list[WireFlow]:
    return [WireFlow(WireKey(7, 1, number.to_bytes(4)), number, b"drop", b"") for number in range(count)]


def test_a_long_queue_is_sent_in_its_order_each_flow_once() -> None:
    overlay = Overlay()
    overlay.put(wanted := flows(2 * MOST_PER_PLAN + 10))
    sent: list[WireFlow] = []
    while not overlay.is_settled:
        plan = overlay.next_plan()
        assert len(plan.put_flows) <= MOST_PER_PLAN
        overlay.on_confirmed(plan)
        sent += plan.put_flows
    assert sent == wanted


def test_a_flow_changed_while_it_waits_is_sent_once_as_it_is_now() -> None:
    overlay = Overlay()
    first, second = flows(2)
    overlay.put([first, second])
    overlay.remove([first.key])
    assert overlay.next_plan().put_flows == (second,)
    assert overlay.is_settled


def test_ten_times_the_queue_takes_about_ten_times_as_long() -> None:
    """And not a hundred times: what was taken out of the queue is not walked over again for every flow."""

    def seconds(count: int) -> float:
        overlay = Overlay()
        overlay.put(flows(count))
        begun = time.process_time()
        while not overlay.is_settled:
            overlay.next_plan()
        return time.process_time() - begun

    short = min(seconds(5_000) for _ in range(3))
    assert min(seconds(50_000) for _ in range(2)) < 40 * short
