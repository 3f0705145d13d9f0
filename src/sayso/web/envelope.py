"""The envelope around every request: its id, its path as meant, the limit of its body, and a problem for whatever escapes the doors."""

import uuid
from collections.abc import Callable, Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sayso.web import errors
from sayso.web.errors import Problem
from sayso.web.paths import BadPath, decoded

BODY_LIMIT = 1 << 20
"""Bytes a body may have; streams are excepted (guarantees, threats)."""


class Envelope:
    """ASGI middleware, outermost. `streams` are the paths whose bodies may have any size; `base` gives the public URL."""

    def __init__(self, app: ASGIApp, *, base: Callable[[], str], streams: Collection[str] = ()) -> None:
        self.app, self.base, self.streams = app, base, frozenset(streams)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or answers it here."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = errors.sane_request_id(headers.get("x-request-id")) or uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        begun = False

        async def stamped(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                stamps = MutableHeaders(scope=message)
                stamps["X-Request-Id"] = request_id
                stamps.update(scope["state"].get("rate", {}))
            await send(message)

        try:
            path = decoded(scope)
            limited = receive if path in self.streams else limited_to(receive, headers.get("content-length"))
            # The server goes on reading its own scope, for its log; only the app routes by the path as it was meant.
            await self.app({**scope, "path": path}, limited, stamped)
        except ClientDisconnect:
            return  # nobody is left to answer
        except Exception as error:
            if begun:
                raise
            problem = Problem("bad_request", str(error)) if isinstance(error, BadPath) else errors.from_exception(error)
            await errors.answer(problem, base=self.base(), request_id=request_id)(scope, receive, stamped)


def limited_to(receive: Receive, announced: str | None) -> Receive:
    """The same stream, which ends in a problem as soon as it is longer than allowed; an announced length is believed at once."""
    too_large = Problem("too_large", f"A body has at most {BODY_LIMIT:,} bytes; use the batch and stream doors for more.")
    if announced is not None and announced.isascii() and announced.isdigit() and int(announced[:20]) > BODY_LIMIT:
        raise too_large
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > BODY_LIMIT:
                raise too_large
        return message

    return counted
