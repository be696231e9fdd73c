"""A policy for a running controller, as `postern apply` gives it one."""

import time

from controller.api.client import ApiClient

_PATIENCE_S = 60.0


def accept_policy(api: ApiClient, file: str, text: str) -> int:
    """Post a policy until it was proved; return its revision. Raise `AssertionError` after a minute."""
    deadline = time.monotonic() + _PATIENCE_S
    while "revision" not in (answer := api.post("/v1/policy", {"file": file, "text": text})):
        assert time.monotonic() < deadline, answer
        time.sleep(0.1)
    return int(answer["revision"])
