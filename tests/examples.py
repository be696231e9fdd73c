"""How many examples Hypothesis tries: all in `make test`, a fifth in `make fast`, which people wait for."""

import os
from typing import Any

import hypothesis

IS_QUICK = os.environ.get("POSTERN_TESTS") == "quick"  # as `make fast` says


def examples(most: int, **more: Any) -> hypothesis.settings:
    """Return settings for one test that tries `most` examples in `make test`."""
    return hypothesis.settings(max_examples=examples_of(most), **more)


def examples_of(most: int) -> int:
    return max(5, most // 5) if IS_QUICK else most
