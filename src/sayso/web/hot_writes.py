"""The hot lane of writes: plain preference writes as a plain ASGI route. Same parsing, same answers and same errors as the documented door.

Whatever is not entirely plain (a parameter, an escaped path, a token that may not do this, a rate to keep) is passed on to the app
behind, which answers alike and takes longer.
"""

import os
import re
from typing import Final

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from sayso.contracts.book import Unavailable
from sayso.web import errors
from sayso.web.api.preferences import WRITERS
from sayso.web.api.saying import answer_write, say
from sayso.web.auth import Caller, bearer
from sayso.web.envelope import Envelope, limited_to
from sayso.web.errors import Problem
from sayso.web.hub import Hub
from sayso.web.reading import contact_key, not_json, object_of

_PATH: Final = re.compile(r"/api/v2/contacts/([A-Za-z0-9._~-]+)/email_preferences", re.ASCII)
_CALLER: Final = "sayso.caller"
_BEFORE, _AFTER = len("/api/v2/contacts/"), len("/email_preferences")
_MAY: Final = frozenset(WRITERS)
_CONDITIONS: Final = frozenset({b"idempotency-key", b"if-match"})
_READ: Final = _CONDITIONS | {b"authorization", b"content-type", b"content-length", b"x-request-id"}


class HotWrites:
    """Answers plain writes of contacts' preferences itself and passes everything else on to the app behind it."""

    def __init__(self, app: ASGIApp, hub: Hub) -> None:
        self._app, self._hub = app, hub
        self._door = Envelope(self._write, base=lambda: hub.public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        plain = scope["type"] == "http" and scope["method"] in ("POST", "PUT") and self._is_plain(scope)
        headers = _headers(scope) if plain else None
        caller = await self._caller(headers) if headers is not None else None
        if caller is None or headers is None:
            await self._app(scope, receive, send)
        elif headers.keys() & _CONDITIONS:
            await self._door({**scope, _CALLER: caller}, receive, send)
        else:
            await self._answer(scope, headers, caller, receive, send)

    def _is_plain(self, scope: Scope) -> bool:
        if self._hub.rate is not None or scope["query_string"] or not _PATH.fullmatch(scope["path"]):
            return False
        return bool(scope.get("raw_path", b"").partition(b"?")[0] == scope["path"].encode())

    async def _caller(self, headers: dict[bytes, bytes]) -> Caller | None:
        """Who writes, if they may; whoever may not is refused by the app behind."""
        try:
            token = bearer(headers.get(b"authorization", b"").decode("latin-1") or None)
            caller = self._hub.callers.fresh(token) or await self._hub.callers.lookup(token) if token else None
        except (Problem, Unavailable):
            return None
        return caller if caller is not None and not _MAY.isdisjoint(caller.scopes) else None

    async def _answer(self, scope: Scope, headers: dict[bytes, bytes], caller: Caller, receive: Receive, send: Send) -> None:
        """A write without conditions: what most are."""
        request_id = errors.sane_request_id(headers.get(b"x-request-id", b"").decode("latin-1")) or os.urandom(16).hex()
        try:
            body = object_of(await _body(headers, receive))
            found = await say(body, contact_key(scope["path"][_BEFORE:-_AFTER]), hub=self._hub, caller=caller)
        except ClientDisconnect:
            return  # nobody is left to answer
        except Exception as refused:  # noqa: BLE001 - whatever it is, it is answered as a problem
            response = errors.answer(errors.from_exception(refused), base=self._hub.public_url, request_id=request_id)
            response.headers["X-Request-Id"] = request_id
            await response(scope, receive, send)
            return
        start = [
            (b"content-type", b"application/json"), (b"content-length", b"%d" % len(found.body)), (b"cache-control", b"no-store"),
            (b"etag", b'"%d"' % (found.version or 0)), (b"x-request-id", request_id.encode()),
        ]  # fmt: skip
        await send({"type": "http.response.start", "status": found.status, "headers": start})
        await send({"type": "http.response.body", "body": found.body})

    async def _write(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = _PATH.fullmatch(scope["path"])
        assert found is not None  # it was why the request came here
        response = await answer_write(Request(scope, receive), contact_key(found[1]), self._hub, scope[_CALLER])
        await response(scope, receive, send)


def _headers(scope: Scope) -> dict[bytes, bytes] | None:
    """The headers that matter here by name; None where one of them stands twice: then the app behind reads them."""
    named = [(name, value) for name, value in scope["headers"] if name in _READ]
    found = dict(named)
    return found if len(found) == len(named) else None


async def _body(headers: dict[bytes, bytes], receive: Receive) -> bytes:
    """The body, read to its end. Raises Problem for one that is too long or no JSON, and ClientDisconnect."""
    limited = limited_to(receive, headers.get(b"content-length", b"").decode("latin-1") or None)
    kind = headers.get(b"content-type", b"application/json").partition(b";")[0].strip().lower()
    if kind != b"application/json" and not kind.endswith(b"+json"):
        raise not_json()
    message = await limited()
    parts = [message.get("body", b"")]
    while message["type"] == "http.request" and message.get("more_body"):
        message = await limited()
        parts.append(message.get("body", b""))
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return b"".join(parts)
