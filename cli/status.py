"""`postern status`: what is confirmed where, and what is wrong, at a glance."""

import argparse
import json

from cli.common import Subparsers, with_api
from common.api import add_api_options
from controller.api.client import ApiClient


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "status",
        help="show the edge at a glance",
        description="Show the accepted revision and, for each switch, whether it has confirmed it; "
        "and which pools take nobody, with what that means to whose mail.",
    )
    parser.add_argument("--json", action="store_true", help="print the API's own answer")
    add_api_options(parser)
    parser.set_defaults(run=with_api(run))


def run(arguments: argparse.Namespace, api: ApiClient) -> int:
    status = api.get("/v1/status")
    is_good = status["state"] == "confirmed" and not status["pools"]
    if arguments.json:
        print(json.dumps(status, indent=1))
        return 0 if is_good else 1
    print(f"{status.get('summary', status['state'])}  ({status['policy_file']})")
    for row in status["switches"]:
        where = row["phase"] if row["connected"] else "not connected"
        print(
            f"  {row['name']:<12} {where:<14} revision {row['confirmed_revision']:<6} "
            f"{row['flows']} flows, {row['packet_ins']} packet-ins"
        )
        for problem in row["problems"]:
            print(f"    ! {problem}")
    for trouble in (*status["pools"], *status["floods"], *status["cabling"]):
        print(f"  ! {trouble}")
    for dpid in status["unknown_switches"]:
        print(f"  ! a switch with dpid {dpid} is connected, but not in the policy; it is left alone")
    return 0 if is_good else 1
