"""The paths of one lab. Only names: no file is read or written here."""

import os
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
_DEFAULT_ROOT = "/run/postern/lab"


@dataclass(frozen=True, slots=True)
class LabPaths:
    """All are below `root`, except the lock and the logs of a failure, which outlive it."""

    root: Path

    @classmethod
    def from_environment(cls) -> "LabPaths":
        return cls(Path(os.environ.get("POSTERN_LAB_DIR") or _DEFAULT_ROOT).absolute())

    @property
    def lock(self) -> Path:
        return self.root.with_name(f"{self.root.name}.lock")

    @property
    def kept_logs(self) -> Path:
        """The logs of a lab that failed."""
        return self.root.with_name(f"{self.root.name}-failed")

    @property
    def record(self) -> Path:
        return self.root / "lab.json"

    @property
    def network(self) -> Path:
        return self.root / "network.json"

    @property
    def api(self) -> Path:
        return self.root / "api.sock"

    @property
    def state(self) -> Path:
        """The controller's own state."""
        return self.root / "state"

    def gateway_settings(self, pool: str) -> Path:
        return self.state / "gateways" / f"{pool}.json"

    def pin(self, host: str) -> Path:
        """The file that keeps a host's network namespace."""
        return self.root / "net" / host

    @property
    def names(self) -> Path:
        """The hosts' replacement for /etc/hosts and similar files."""
        return self.root / "names"

    def log(self, part: str) -> Path:
        return self.root / "log" / f"{part}.log"

    def home(self, part: str) -> Path:
        """The directory of one service: its configuration and its data."""
        return self.root / "home" / part
