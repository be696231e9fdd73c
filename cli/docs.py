"""`make docs`: writes what is made from the code, wherever it is run."""

import json
import sys
from pathlib import Path

from cli import reference
from cli.programs import parsers
from common import entry
from controller.compiler import reference as pipeline_page
from controller.policy import page as policy_page
from controller.policy.nodes import Node, read_nodes
from controller.policy.parse import parse_policy
from controller.policy.schema import policy_schema

_ROOT = Path(__file__).resolve().parents[1]
_DEMO = Path("policies/demo.yaml")


def made_files() -> dict[Path, str]:
    """Return what each made file must hold."""
    return {
        Path("docs/cli.md"): reference.build_page(parsers()),
        Path("docs/policy.md"): policy_page.build_page(_demo_nodes()),
        Path("docs/pipeline.md"): pipeline_page.build_page(parse_policy(_demo_text(), str(_DEMO))),
        Path("policies/postern.schema.json"): json.dumps(policy_schema(), indent=2) + "\n",
    }


def _demo_nodes() -> Node:
    nodes = read_nodes(_demo_text(), str(_DEMO))
    assert nodes is not None  # the demo's policy is not empty
    return nodes


def _demo_text() -> str:
    return (_ROOT / _DEMO).read_text(encoding="utf-8")


def main() -> None:
    for file, content in made_files().items():
        (_ROOT / file).write_text(content, encoding="utf-8")
        print(file)


def run() -> int:
    """Be the program: `main`, whatever happens."""
    return entry.run("cli.docs", main)


if __name__ == "__main__":
    sys.exit(run())
