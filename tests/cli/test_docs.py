"""Pages that are made from the code are as the code is."""

from pathlib import Path

import pytest

from cli.docs import made_files

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "file", ["docs/cli.md", "docs/policy.md", "docs/pipeline.md", "policies/postern.schema.json"]
)
def test_a_made_page_is_fresh(file: str) -> None:
    assert (ROOT / file).read_text(encoding="utf-8") == made_files()[Path(file)], (
        f"{file} is stale; remedy: make docs"
    )
