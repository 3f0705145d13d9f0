"""Who calls: access tokens looked up, scopes demanded, rates kept (wire contract section 2, RFC 6750)."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency

from sayso.contracts.desk import Grant
from sayso.rules.tokens import fingerprint
from sayso.web.errors import Problem

REALM: Final = 'Bearer realm="sayso"'
FRESH_SECONDS: Final = 0.9
"""How long a looked-up token is believed without asking again: a revocation takes effect within a second."""
CACHED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """The client behind a request, and what its token is good for."""

    client_id: str
    scopes: tuple[str, ...]
    relay_only: bool

    @property
    def via(self) -> str:
        """How the ledger names this door's user."""
        return f"c:{self.client_id}"


@dataclass(frozen=True, slots=True)
class _Held:
    caller: Caller
    expires_at: int
    asked_at: float


class TokenCache:
    """Grants by token, each asked for at most about once a second; concurrent questions about one token become one."""

    def __init__(
        self,
        find: Callable[[bytes, int], Awaitable[Grant | None]],
        clock: Callable[[], int],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._find, self._clock, self._monotonic = find, clock, monotonic
        self._held: dict[bytes, _Held] = {}
        self._asking: dict[bytes, asyncio.Task[Grant | None]] = {}

    def fresh(self, token: str) -> Caller | None:
        """Who this token belongs to, if it was looked up within the last second; None says nothing."""
        held = self._held.get(fingerprint(token))
        if held is None or self._monotonic() - held.asked_at >= FRESH_SECONDS:
            return None
        return held.caller if held.expires_at > self._clock() else None

    async def lookup(self, token: str) -> Caller | None:
        """Who this token belongs to; None when it is unknown, expired or revoked. Raises Unavailable when nobody can tell."""
        if (known := self.fresh(token)) is not None:
            return known
        key, now = fingerprint(token), self._clock()
        task = self._asking.get(key)
        if task is None:
            task = asyncio.create_task(self._ask(key, now))
            self._asking[key] = task
            task.add_done_callback(lambda done: self._asked(key, done))
        grant = await asyncio.shield(task)
        return _caller(grant, now) if grant else None

    def known(self, token: str) -> Caller | None:
        """Who this token belonged to when last asked: for doors that must answer (and deny) while the store is down."""
        held = self._held.get(fingerprint(token))
        return held.caller if held is not None and held.expires_at > self._clock() else None

    def forget(self, token: str) -> None:
        """Believes nothing about this token any more."""
        self._held.pop(fingerprint(token), None)

    async def _ask(self, key: bytes, now: int) -> Grant | None:
        asked_at = self._monotonic()
        grant = await self._find(key, now)
        self._held.pop(key, None)
        if grant is not None:
            if len(self._held) >= CACHED:
                self._held.pop(next(iter(self._held)))
            self._held[key] = _Held(Caller(grant.client, grant.scopes, grant.relay_only), grant.expires_at, asked_at)
        return grant

    def _asked(self, key: bytes, task: "asyncio.Task[Grant | None]") -> None:
        self._asking.pop(key, None)
        if not task.cancelled():
            task.exception()  # whoever waits raises it; without a waiter it must not be complained about


def _caller(grant: Grant, now: int) -> Caller | None:
    return Caller(grant.client, grant.scopes, grant.relay_only) if grant.expires_at > now else None


class RateLimit:
    """At most `per_minute` requests a client, refilled steadily; a bucket a client, in this process."""

    def __init__(self, per_minute: int, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._size, self._monotonic = per_minute, monotonic
        self._left: dict[str, tuple[float, float]] = {}

    def wait(self, client: str) -> int:
        """Seconds until this client may call again; 0 means now, and counts the call."""
        now = self._monotonic()
        left, at = self._left.get(client, (float(self._size), now))
        left = min(float(self._size), left + (now - at) * self._size / 60)
        if left < 1:
            self._left[client] = (left, now)
            return max(1, -(-int((1 - left) * 60_000 / self._size) // 1000))
        self._left[client] = (left - 1, now)
        return 0

    def told(self, client: str) -> dict[str, str]:
        """The headers that say how many calls are left, and in how many seconds all of them are (IETF draft, RateLimit header fields)."""
        left, at = self._left.get(client, (float(self._size), self._monotonic()))
        left = min(float(self._size), left + (self._monotonic() - at) * self._size / 60)
        full = math.ceil((self._size - left) * 60 / self._size)
        return {"RateLimit-Policy": f'"client";q={self._size};w=60', "RateLimit": f'"client";r={int(left)};t={full}'}


def bearer(header: str | None) -> str | None:
    """The token of an Authorization header; None when there is none. Raises Problem for another scheme or a malformed one."""
    if header is None:
        return None
    scheme, _, token = header.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > 512 or not token.isascii() or " " in token:
        raise unauthorized("invalid_token", "Send the token as `Authorization: Bearer …`.")
    return token


def unauthorized(error: str, detail: str) -> Problem:
    """The 401 with its challenge; without credentials it carries no error code (RFC 6750 section 3.1)."""
    challenge = f'{REALM}, error="{error}", error_description="{detail}"' if error else REALM
    return Problem("unauthorized", detail, headers={"WWW-Authenticate": challenge.replace("…", "...")})


def insufficient(wanted: tuple[str, ...]) -> Problem:
    """The 403 for a token without any of the scopes."""
    challenge = f'{REALM}, error="insufficient_scope", scope="{" ".join(wanted)}"'
    return Problem("forbidden_scope", f"This needs a token with the scope {' or '.join(wanted)}.", headers={"WWW-Authenticate": challenge})


async def identify(request: Request) -> Caller:
    """The caller of a request, counted once against its rate. Raises Problem 401 or 429, and Unavailable."""
    known: Caller | None = getattr(request.state, "caller", None)
    if known is not None:
        return known
    token = bearer(request.headers.get("authorization"))
    if token is None:
        raise unauthorized("", "Send an access token as `Authorization: Bearer …`; POST /oauth/token gives one.")
    hub = request.app.state.hub
    caller: Caller | None = await hub.callers.lookup(token)
    if caller is None:
        raise unauthorized("invalid_token", "The access token is unknown, expired or revoked.")
    seconds = hub.rate.wait(caller.client_id) if hub.rate is not None else 0
    if hub.rate is not None:
        request.state.rate = hub.rate.told(caller.client_id)
    if seconds:
        raise Problem(
            "rate_limited", f"Wait {seconds} s; this client's limit is set by the operator.", headers={"Retry-After": str(seconds)}
        )
    request.state.caller = caller
    return caller


def require(*scopes: str) -> Dependency:
    """A dependency that gives the Caller, whose token must have one of the scopes."""

    async def allowed(request: Request) -> Caller:
        caller = await identify(request)
        if not set(scopes) & set(caller.scopes):
            raise insufficient(scopes)
        return caller

    allowed.scopes = scopes  # type: ignore[attr-defined]  # what the description of the door reads
    found: Dependency = Depends(allowed)
    return found


__all__ = ["Caller", "RateLimit", "TokenCache", "bearer", "identify", "insufficient", "require", "unauthorized"]
