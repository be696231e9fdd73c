"""What the pages point to exists: other pages, headings, files and make targets."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")})
_LINK = re.compile(r"\]\(([^)\s#]*)(?:#([^)\s]+))?\)")
_PLACES = "apps|benchmarks|cli|common|controller|deploy|docs|lab|mininet_topos|policies|services|tests"
_PATH = re.compile(rf"`((?:{_PLACES})/[\w./-]+)`")
_MAKE = re.compile(r"`make ([a-z-]+)")


def _anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _id(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_every_link_leads_to_a_page_and_a_heading_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target, anchor in _LINK.findall(text):
        if "://" in target:
            continue
        file = page.parent / target if target else page
        assert file.exists(), f"{target} does not exist"
        if anchor:
            assert anchor in _anchors(file.read_text(encoding="utf-8")), f"{target} has no heading #{anchor}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=_id)
def test_every_file_and_make_target_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    paths = [path for path in _PATH.findall(text) if "NAME" not in path]
    assert [path for path in paths if not (ROOT / path).exists()] == []
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(_MAKE.findall(text)) <= set(targets)
