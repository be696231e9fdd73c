"""Where the edge finds its policy, its state and its API: environment first, then Ryu's own file."""

import os
from dataclasses import dataclass
from pathlib import Path

from oslo_config.cfg import BoolOpt, StrOpt
from ryu import cfg
from ryu.ofproto.ofproto_common import OFP_TCP_PORT

_GROUP = "postern"
_DEFAULT_STATE_DIR = "/var/lib/postern"
_DEFAULT_LISTEN = "127.0.0.1:9057"
_DEFAULT_API = "unix:/run/postern/api.sock"

cfg.CONF.register_opts(
    [
        StrOpt("policy", default="", help="policy file to apply"),
        StrOpt("state_dir", default=_DEFAULT_STATE_DIR, help="directory for accepted policies"),
        StrOpt("api", default=_DEFAULT_API, help="unix:PATH of the API's socket"),
        StrOpt("listen", default=_DEFAULT_LISTEN, help="HOST:PORT of the API for tokens, or off"),
        StrOpt("switch_control", default="", help="control socket of ovs-vswitchd, to count sessions"),
        BoolOpt("watch", default=False, help="reload when the policy file changes"),
    ],
    group=_GROUP,
)


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    policy: Path
    state_dir: Path
    api: str
    watch: bool
    listen: str  # HOST:PORT, or off
    switch_control: str  # empty: ovs-appctl's own default

    def read_policy(self) -> str:
        """Return the text of the policy file. Raise `OSError` with a remedy if it cannot be read."""
        try:
            return self.policy.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise OSError(f"{self.policy}: not UTF-8 text: {error}; remedy: save it as UTF-8") from error
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            why = getattr(error, "strerror", None) or error
            raise OSError(f"{self.policy}: {why}; remedy: name a policy that can be read") from error

    def modified_at(self) -> tuple[int, int]:
        """Return a value that changes with the policy file; (0, 0) while it is missing."""
        try:
            facts = self.policy.stat()
        except OSError:
            return (0, 0)
        return (facts.st_mtime_ns, facts.st_ino)


def read_settings() -> EdgeSettings:
    """Raise `SystemExit` with a remedy when no policy is named."""
    section = cfg.CONF[_GROUP]
    policy = os.environ.get("POSTERN_POLICY") or section.policy
    if not policy:
        raise SystemExit("postern: no policy is named; remedy: set POSTERN_POLICY to the policy file")
    return EdgeSettings(
        Path(policy),
        Path(os.environ.get("POSTERN_STATE_DIR") or section.state_dir),
        os.environ.get("POSTERN_API") or section.api,
        (os.environ.get("POSTERN_WATCH") or str(section.watch)).lower() in ("1", "true", "yes"),
        os.environ.get("POSTERN_LISTEN") or section.listen,
        os.environ.get("POSTERN_SWITCH_CONTROL") or section.switch_control,
    )


def switch_port() -> tuple[str, int]:
    """Return where Ryu will listen for switches: from its own options and default."""
    return cfg.CONF.ofp_listen_host, cfg.CONF.ofp_tcp_listen_port or OFP_TCP_PORT
