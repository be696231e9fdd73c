"""A unix socket that offers the controller's API on this host. Requests are passed on unchanged."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from services.uplink.access import LARGEST_BODY_BYTES, Access, Away

_PARTING_S = 1.0


class Relay:
    """`tell` gets the reason why the controller cannot be reached, or an empty text when it can."""

    def __init__(self, access: Access, tell: Callable[[str], None]) -> None:
        self._access, self._tell = access, tell
        application = web.Application(client_max_size=LARGEST_BODY_BYTES)
        application.router.add_route("*", "/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=_PARTING_S)

    async def start(self, socket: Path) -> None:
        """Listen for users that the socket's group admits. Raise `OSError`."""
        socket.parent.mkdir(parents=True, exist_ok=True)
        if socket.exists() and not stat.S_ISSOCK(socket.stat().st_mode):
            raise FileExistsError(f"{socket} exists, and is not a socket")
        socket.unlink(missing_ok=True)  # left by an uplink that was killed
        await self._runner.setup()
        before = os.umask(0o117)
        try:
            await web.UnixSite(self._runner, str(socket)).start()
        finally:
            os.umask(before)

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _pass_on(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            answer = await self._access.ask(
                request.method, request.raw_path, body, {"Content-Type": request.content_type}
            )
        except Away as error:
            self._tell(str(error))
            return web.json_response({"errors": [str(error)]}, status=503)
        self._tell("")
        return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)
