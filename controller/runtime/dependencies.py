"""Everything outside the runtime that it works with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from common.journal.journal import Journal
from controller.hosts.render import Settings
from controller.runtime.bridges import BridgeChannel
from controller.runtime.context import Clock
from controller.runtime.encoding import Encoder
from controller.runtime.proofs import Prover
from controller.store import Store


@dataclass(frozen=True, slots=True)
class RuntimeDependencies:
    """Passed in once, at start."""

    encoder: Encoder
    publish: Callable[[Mapping[str, Settings]], None]  # may raise OSError
    store: Store
    journal: Journal
    clock: Clock
    bridges: BridgeChannel
    prover: Prover
    give_way: Callable[[], None] = lambda: None  # lets other work of the process proceed; not the runtime's
