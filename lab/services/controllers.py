"""The controller: the edge's Ryu application under `ryu-manager`, just as a user would start it."""

import sys
from pathlib import Path

from controller.api.client import ApiClient, ApiError
from lab.component import Component
from lab.paths import REPOSITORY, LabPaths

NAME = "controller"


def build_part(places: LabPaths, policy_file: Path, listen: str) -> Component:
    host, _, port = listen.rpartition(":")
    manager = str(Path(sys.executable).parent / "ryu-manager")
    application = str(REPOSITORY / "apps" / "edge.py")
    return Component(
        name=NAME,
        command=(manager, "--ofp-listen-host", host, "--ofp-tcp-listen-port", port, application),
        log=places.log(NAME),
        environment={
            "POSTERN_POLICY": str(policy_file),
            "POSTERN_STATE_DIR": str(places.state),
            "POSTERN_API": api_address(places),
            "POSTERN_LISTEN": "off",
        },
        prepare=lambda: places.state.mkdir(parents=True, exist_ok=True),
        check=lambda: _problem(places),
    )


def api_address(places: LabPaths) -> str:
    return f"unix:{places.api}"


def _problem(places: LabPaths) -> str:
    try:
        status = ApiClient(api_address(places)).get("/v1/status")
    except ApiError as error:
        return str(error)
    problems = [f"{row['name']}: {problem}" for row in status["switches"] for problem in row["problems"]]
    if status["state"] != "confirmed":
        problems.insert(0, status.get("summary", status["state"]))
    return "; ".join(problems)
