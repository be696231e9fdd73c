"""The edge's settings as Ryu knows them: its own file, and where it listens for switches."""

import os

from oslo_config.cfg import StrOpt
from ryu import cfg
from ryu.ofproto.ofproto_common import OFP_TCP_PORT

from controller.settings import PROGRAM, SECTION, SETTINGS, EdgeSettings, SettingsError, read_settings

cfg.CONF.register_opts(
    [StrOpt(each.name, default=each.default, help=each.means) for each in SETTINGS], group=SECTION
)
# The framework never asks a switch whether it is still there, so one that lost its power stays "connected".
# A connection without a reply to six requests in a row, 30 s, is closed.
for name, default in (("echo_request_interval", 5.0), ("maximum_unreplied_echo_requests", 5)):
    cfg.CONF.import_opt(name, "ryu.controller.controller")
    cfg.CONF.set_default(name, default)


def settings_of_process() -> EdgeSettings:
    """Raise `SystemExit` with a line for each setting that is wrong."""
    try:
        return read_settings(os.environ, cfg.CONF[SECTION])
    except SettingsError as error:
        raise SystemExit("\n".join(f"{PROGRAM}: {each}" for each in error.errors)) from error


def switch_port() -> tuple[str, int]:
    """Return where Ryu will listen for switches: from its own options and default."""
    return cfg.CONF.ofp_listen_host, cfg.CONF.ofp_tcp_listen_port or OFP_TCP_PORT
