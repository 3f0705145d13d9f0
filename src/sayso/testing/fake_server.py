"""A local HTTP server that stands in for a vendor: it remembers what it was asked and can be told to misbehave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import web

Handler = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]
Trouble = Literal["status", "hang", "reset", "reset_after", "dropped", "garbage", "echo"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it came in: raw target and body."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """The first value of a header, any case; empty when absent."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


@dataclass(slots=True)
class _Planned:
    trouble: Trouble
    times: int
    status: int
    retry_after: str


@dataclass(slots=True)
class FakeServer:
    """Troubles are used up one request at a time, in the order they were planned; then everything works again.

    `status`: that answer. `hang`: no answer until the server stops. `reset`: the connection breaks before anything is done.
    `reset_after`: it breaks after the request took effect. `dropped`: a friendly answer, and nothing is done. `garbage`: 200 with HTML.
    `echo`: 400 with everything that was sent, secrets included, as careless servers do.
    """

    seen: list[Seen] = field(default_factory=list)
    _planned: list[_Planned] = field(default_factory=list)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def plan(self, trouble: Trouble, times: int = 1, *, status: int = 503, retry_after: str = "") -> None:
        """Makes the next `times` requests go wrong in one way."""
        self._planned.append(_Planned(trouble, times, status, retry_after))

    def heal(self) -> None:
        """Forgets what is left of the planned troubles."""
        self._planned.clear()

    async def answer(self, request: web.Request, body: bytes, handler: Handler, friendly: web.Response) -> web.StreamResponse:
        """The handler's answer, or what the next planned trouble makes of it."""
        self.seen.append(Seen(request.method, request.raw_path, tuple(request.headers.items()), body))
        planned = self._next()
        if planned is None:
            return await handler(request, body)
        if planned.trouble == "status":
            headers = {"Retry-After": planned.retry_after} if planned.retry_after else {}
            return web.json_response({"title": "trouble", "status": planned.status}, status=planned.status, headers=headers)
        if planned.trouble == "hang":
            await self._stopping.wait()
        if planned.trouble == "reset_after":
            await handler(request, body)
        if planned.trouble == "dropped":
            return friendly
        if planned.trouble == "echo":
            said = {"sent": dict(request.headers), "target": request.raw_path, "body": body.decode("utf-8", "replace")}
            return web.json_response(said, status=400, headers={"Set-Cookie": "session=1"})
        if planned.trouble == "garbage":
            return web.Response(body=b"<html>\xff\xfe not json", content_type="text/html")
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

    def _next(self) -> _Planned | None:
        if not self._planned:
            return None
        planned = self._planned[0]
        planned.times -= 1
        if planned.times <= 0:
            self._planned.pop(0)
        return planned

    def stop(self) -> None:
        """Lets go of the requests that hang."""
        self._stopping.set()


@asynccontextmanager
async def serving(app: web.Application, fake: FakeServer, port: int = 0) -> AsyncIterator[str]:
    """The base URL of the fake while it runs on the loopback; port 0 takes a free one."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    try:
        sockets = runner.addresses
        yield f"http://127.0.0.1:{sockets[0][1]}"
    finally:
        fake.stop()
        await runner.cleanup()
