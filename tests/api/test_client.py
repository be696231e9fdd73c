"""What somebody reads when the controller does not answer."""

import http.client

import pytest

from controller.api import client
from controller.api.client import ApiClient, ApiError


class Gone:
    """A connection that fails at its first word."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def request(self, *_: object, **__: object) -> None:
        raise self._error

    def close(self) -> None:
        return


@pytest.mark.parametrize(
    "error", [TimeoutError(), ConnectionResetError(), BrokenPipeError(), http.client.RemoteDisconnected("")]
)
def test_a_controller_that_hangs_up_is_there_so_its_log_is_the_remedy(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_UnixConnection", lambda _: Gone(error))
    with pytest.raises(ApiError, match="remedy: see the controller's log"):
        ApiClient("unix:/nowhere").post("/v1/plan", {})
