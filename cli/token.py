"""`postern token`: access to the API over TCP."""

import argparse
from urllib.parse import quote

from cli.common import add_api_command, add_change_command
from common.commands import Result, explain
from controller.api.client import ApiClient
from controller.runtime.principals import BEARER_ROLES

_EPILOG = """\
roles:
  operator  may do everything that `postern` can do
  sensor    posts evidence, and decisions under its own name as origin
  member    may do what a pool member needs on its own host; NAME is POOL.MEMBER
  bouncer   reads decisions, as from a CrowdSec local API (cs-firewall-bouncer and others)

examples:
  postern token add firewall1 --role bouncer      then, in the bouncer's settings:
      api_url: http://127.0.0.1:9057/  api_key: the printed token
  postern token add proxies.proxy1 --role member  for `postern-uplink` on that proxy's host
"""


def fill(parser: argparse.ArgumentParser) -> None:
    explain(parser, "Create and delete tokens for the API over TCP. The unix socket needs no token.", _EPILOG)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add = add_change_command(
        commands,
        "add",
        "create a token; it is shown only once",
        _make,
        "example:\n  postern token add proxies.proxy1 --role member > proxy1.token",
    )
    add.add_argument("name", metavar="NAME", help="name of the token; for members POOL.MEMBER")
    add.add_argument(
        "--role",
        required=True,
        choices=[role.value for role in BEARER_ROLES],
        help="what the token allows: `postern token --help`",
    )
    add_api_command(
        commands, "list", "list names and roles of all tokens", _list, "example:\n  postern token list"
    )
    delete = add_change_command(
        commands,
        "delete",
        "delete a token; it is refused from then on",
        _delete,
        "example:\n  postern token delete proxies.proxy1",
    )
    delete.add_argument("name", metavar="NAME", help="name, as `postern token list` shows it")


def _make(arguments: argparse.Namespace, api: ApiClient) -> Result:
    made = api.post("/v1/tokens", {"name": arguments.name, "role": arguments.role})
    return Result(made, [made["token"]])


def _list(_arguments: argparse.Namespace, api: ApiClient) -> Result:
    bearers = api.get("/v1/tokens")
    return Result(bearers, [f"{bearer['name']:<24} {bearer['role']}" for bearer in bearers])


def _delete(arguments: argparse.Namespace, api: ApiClient) -> Result:
    api.delete(f"/v1/tokens/{quote(arguments.name, safe='')}")
    return Result({"deleted": arguments.name}, [f"{arguments.name}: deleted"])
