"""The response after an unexpected error in the controller: what it was, and where to look."""

import logging
from typing import Any

import falcon

_LOG = logging.getLogger("postern.api")


def tell_unexpected(app: falcon.App[Any, Any]) -> None:
    app.add_error_handler(Exception, _tell)


def _tell(request: falcon.Request, response: falcon.Response, error: Exception, _params: object) -> None:
    """Write the complete error to the program's log, which names its report."""
    _LOG.error("%s %s", request.method, request.path, exc_info=error)
    response.status = falcon.HTTP_500
    response.media = {
        "errors": [
            f"unexpected error in the controller: {type(error).__name__}; "
            "remedy: its log names the full report; run `postern doctor` where the controller runs"
        ]
    }
