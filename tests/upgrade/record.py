"""Records what programs and controller of this tree say to each other, for the tests of later releases.

    python -m tests.upgrade.record release_0_2

It runs the real programs before a real controller, and writes tests/upgrade/NAME. Run it once for each
release, on its commit. With --programs or --controller, one side comes from another checkout: so two commits
are tried with each other by hand; --out then names a directory outside the tests.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.upgrade.dialogues import save
from tests.upgrade.ends import Recorder
from tests.upgrade.stories import ANTIVIRUS, KEY, MEMBER_BY_POOL, ROOT, STORIES, TOKEN_PORT, Stage
from tests.uplink.conftest import RYU_MANAGER, Controller


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.upgrade.record",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("release", metavar="NAME", help="directory to write, such as release_0_2")
    add(
        "--out",
        type=Path,
        default=Path(__file__).parent,
        metavar="DIR",
        help="where (default: tests/upgrade)",
    )
    add("--only", nargs="+", choices=STORIES, default=list(STORIES), help="only these stories")
    add("--programs", type=Path, default=ROOT, metavar="TREE", help="checkout whose programs run")
    add("--controller", type=Path, default=ROOT, metavar="TREE", help="checkout whose controller runs")
    return parser


def main() -> int:
    parsed = build_parser().parse_args()
    with controller_of(parsed.controller) as controller:
        for name in parsed.only:
            file = record(name, controller, parsed.programs, parsed.out / parsed.release)
            print(f"{name}: {file.stat().st_size} bytes")
    return 0


@contextmanager
def controller_of(tree: Path) -> Iterator[Controller]:
    """Run the controller of a checkout with the demo's policy, without any switch."""
    with tempfile.TemporaryDirectory(prefix="pu-") as directory:
        program = (RYU_MANAGER[0], str(tree / "apps" / "edge.py"))
        environment = {**os.environ, "PYTHONPATH": str(tree)}
        controller = Controller(Path(directory), program, ROOT / "policies" / "demo.yaml", environment)
        controller.url = f"http://127.0.0.1:{controller.port}"
        try:
            controller.start()
            yield controller
        finally:
            controller.stop()


def record(name: str, controller: Controller, tree: Path, directory: Path) -> Path:
    """Tell one story with the programs of a checkout, and write the dialogue. Return the file."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pu-"))) / "home"
        home.mkdir()
        stage = Stage(home, settings_of(controller), controller.token, tree)
        story = STORIES[name]
        if story.other_end is ANTIVIRUS:
            recorder = Recorder(None, stack.enter_context(stage.antivirus()))
        elif story.other_end is TOKEN_PORT:
            recorder = Recorder(None, controller.url)
        else:
            recorder = Recorder(home / "api.sock", controller.api.address)
        stack.callback(recorder.close)
        stage.end = recorder
        story.tell(stage)
        files = {KEY: stage.files[KEY]} if story.other_end is ANTIVIRUS else {}
        return save(directory, name, recorder.dialogue(files))


def settings_of(controller: Controller) -> dict[str, Any]:
    return {pool: controller.api.get(f"/v1/settings/{pool}") for pool in MEMBER_BY_POOL}


if __name__ == "__main__":
    sys.exit(main())
