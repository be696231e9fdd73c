"""`postern token`: who may use the API over TCP, and for what."""

import argparse
from urllib.parse import quote

from cli.common import Subparsers, add_command
from controller.api.client import ApiClient

_EPILOG = """\
roles:
  operator  everything that `postern` can do
  sensor    posts evidence, and decisions under its own name as origin
  member    what a pool's member needs on a host of its own; NAME is its path, POOL.MEMBER
  bouncer   reads decisions, as from a CrowdSec local API (cs-firewall-bouncer and others)

  postern token add firewall1 --role bouncer      then, in the bouncer's settings:
      api_url: http://127.0.0.1:9057/  api_key: what was printed
  postern token add proxies.proxy1 --role member  for `postern-uplink` on that proxy's host
"""


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "token",
        help="who may use the API over TCP",
        description="Make and end tokens for the API on TCP. The unix socket needs none.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add = add_command(commands, "add", "make a token; it is shown this once", _make)
    add.add_argument("name")
    add.add_argument("--role", required=True, choices=["operator", "sensor", "member", "bouncer"])
    add_command(commands, "list", "list who has a token", _list)
    add_command(commands, "delete", "end a token at once", _delete).add_argument("name")


def _make(arguments: argparse.Namespace, api: ApiClient) -> int:
    print(api.post("/v1/tokens", {"name": arguments.name, "role": arguments.role})["token"])
    return 0


def _list(_arguments: argparse.Namespace, api: ApiClient) -> int:
    for bearer in api.get("/v1/tokens"):
        print(f"{bearer['name']:<24} {bearer['role']}")
    return 0


def _delete(arguments: argparse.Namespace, api: ApiClient) -> int:
    api.delete(f"/v1/tokens/{quote(arguments.name, safe='')}")
    print(f"{arguments.name}: no access any more")
    return 0
