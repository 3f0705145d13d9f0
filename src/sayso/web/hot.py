"""The hot lane: pre-send checks as a plain ASGI route, before any framework work. Same answers and same errors as everywhere."""

import asyncio
import os
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from sayso.contracts.book import Unavailable
from sayso.web import errors
from sayso.web.asking import Asking, batch_of
from sayso.web.auth import bearer, insufficient, unauthorized
from sayso.web.envelope import BODY_LIMIT
from sayso.web.errors import Problem, invalid
from sayso.web.hub import Hub
from sayso.web.reading import object_of

SINGLE: Final = "/api/v2/send_checks"
BATCH: Final = "/api/v2/send_checks:batch"
SCOPE: Final = "send_checks"
HEADERS: Final = frozenset({b"authorization", b"content-type", b"x-request-id"})
_ALWAYS: Final = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))
_WRITER: Final = msgspec.json.Encoder()
_TRUTH: Final = {"true": True, "1": True, "false": False, "0": False}


class HotLane:
    """Answers checks itself and passes everything else on to the app behind it."""

    def __init__(self, app: ASGIApp, hub: Hub, asking: Asking) -> None:
        self._app, self._hub, self._asking = app, hub, asking

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in (SINGLE, BATCH):
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"] if name in HEADERS}
        given = headers.get(b"x-request-id")
        request_id = (errors.sane_request_id(given) if given else None) or os.urandom(16).hex()
        rate: dict[str, str] = {}
        try:
            answer = await self._answer(scope, headers, receive, rate)
        except Exception as refused:  # noqa: BLE001 - whatever it is, it is answered as a problem
            problem = errors.from_exception(refused)
            response = errors.answer(problem, base=self._hub.public_url, request_id=request_id)
            response.headers.update({"X-Request-Id": request_id, **rate})
            await response(scope, receive, send)
            return
        body = _WRITER.encode(answer)
        start = [*_ALWAYS, (b"content-length", b"%d" % len(body)), (b"x-request-id", request_id.encode())]
        start += [(name.encode(), value.encode()) for name, value in rate.items()]
        await send({"type": "http.response.start", "status": 200, "headers": start})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, headers: dict[bytes, str], receive: Receive, rate: dict[str, str]) -> Any:
        began = asyncio.get_running_loop().time()
        known = await self._admit(headers, rate, began)
        explain = _explain(scope["query_string"])
        body = object_of(await _read(headers, receive))
        if scope["path"] == BATCH:
            return {"items": await self._asking.ask(batch_of(body), explain=explain, known=known, began=began)}
        return await self._asking.ask_one(body, explain=explain, known=known, began=began)

    async def _admit(self, headers: dict[bytes, str], rate: dict[str, str], began: float) -> bool:
        """Lets callers with the scope in; `rate` takes the headers that tell their rate.

        False while the store is down and nobody can be looked up: then everybody gets the same denial.
        """
        token = bearer(headers.get(b"authorization"))
        if token is None:
            raise unauthorized("", "Send an access token as `Authorization: Bearer …`; POST /oauth/token gives one.")
        caller = self._hub.callers.fresh(token)
        if caller is None:
            try:
                async with asyncio.timeout_at(began + self._asking.gatehouse.patience):
                    caller = await self._hub.callers.lookup(token)
            except (Unavailable, TimeoutError):
                return False
        if caller is None:
            raise unauthorized("invalid_token", "The access token is unknown, expired or revoked.")
        if SCOPE not in caller.scopes:
            raise insufficient((SCOPE,))
        if self._hub.rate is None:
            return True
        seconds = self._hub.rate.wait(caller.client_id)
        rate.update({name.lower(): value for name, value in self._hub.rate.told(caller.client_id).items()})
        if seconds:
            raise Problem(
                "rate_limited", f"Wait {seconds} s; this client's limit is set by the operator.", headers={"Retry-After": str(seconds)}
            )
        return True


async def _read(headers: dict[bytes, str], receive: Receive) -> bytes:
    kind = headers.get(b"content-type", "application/json")
    if kind != "application/json":
        kind = kind.partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            raise Problem("unsupported_media_type", "Send the check as application/json.")
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem("bad_request", "The request ended before its body did.")
        body += message.get("body", b"")
        if len(body) > BODY_LIMIT:
            raise Problem("too_large", f"A body has at most {BODY_LIMIT:,} bytes; a batch has at most 1,000 checks.")
        if not message.get("more_body"):
            return body


def _explain(query: bytes) -> bool:
    """What the one parameter of these doors says. Raises Problem for others, for doubles, and for what is no truth value."""
    if not query:
        return False
    flaws = []
    given = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    for name, value in given:
        if name != "explain":
            flaws.append(("unknown parameter; known are explain", f"query/{name[:64]}"))
        elif value.lower() not in _TRUTH:
            flaws.append(("explain is true or false", "query/explain"))
    if [name for name, _ in given].count("explain") > 1:
        flaws.append(("a parameter stands twice", "query/explain"))
    if flaws:
        raise invalid(*flaws)
    return any(_TRUTH[value.lower()] for _, value in given)
