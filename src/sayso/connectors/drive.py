"""Runs a connector's flow: sends what it asks for at the vendor's pace, hands back what came, and keeps a redacted log.

It does not decide what an answer means (the connector does) and does not retry (the delivery flow does, by state).
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from sayso.connectors.redaction import MARK, clean, clean_headers, excerpt, secrets_of
from sayso.contracts.connector import About, Attempt, Driven, Flow, Pace, Request, Response, Settings, Wait

T = TypeVar("T")

TIMEOUT = 15.0
"""Seconds one request may take in all (Standard Webhooks: 15 to 30)."""

MAX_STEPS = 20_000
"""Requests and waits of one flow; more is a bug in the connector, not a slow vendor."""


class Sends(Protocol):
    """Sends one request within a number of seconds; answers a `Response` whatever happens, never raises for the network."""

    async def __call__(self, request: Request, timeout: float) -> Response:
        """The answer, or how the attempt ended."""


Clock = Callable[[], int]
Pause = Callable[[float], Awaitable[None]]


class EndlessFlow(RuntimeError):
    """A bug: a connector asked for more steps than any vendor needs."""


class Lane:
    """The pace of one connection: at most `concurrency` requests at once, their starts `1 / per_second` apart."""

    def __init__(self, pace: Pace, monotonic: Callable[[], float], pause: Pause) -> None:
        self._room = asyncio.Semaphore(max(1, pace.concurrency))
        self._gap = 1.0 / pace.per_second if pace.per_second > 0 else 0.0
        self._monotonic = monotonic
        self._pause = pause
        self._next = 0.0

    async def enter(self) -> None:
        """Waits for room and for its turn; whoever entered must leave."""
        await self._room.acquire()
        now = self._monotonic()
        start = max(now, self._next)
        self._next = start + self._gap
        try:
            if start > now:
                await self._pause(start - now)
        except BaseException:
            self._room.release()
            raise

    def leave(self) -> None:
        """Makes room for the next one."""
        self._room.release()


@dataclass(frozen=True, slots=True)
class Ground:
    """What a drive stands on: the network, the vendor's pace, two clocks (epoch microseconds; monotonic seconds), a way to pause."""

    send: Sends
    lane: Lane
    clock: Clock
    monotonic: Callable[[], float]
    pause: Pause = asyncio.sleep


async def drive(flow: Flow[T], *, ground: Ground, secrets: tuple[str, ...], deadline: int) -> Driven[T]:
    """What the flow came to, with its attempts.

    `deadline` is in microseconds since the epoch; the time left is measured once and then kept monotonically, so that a clock set
    back cannot stretch it. After the deadline every further request is answered `not_sent`: the flow ends by itself and still
    gives one outcome per change. Raises what the connector raises (BadSettings) and EndlessFlow.
    """
    end = ground.monotonic() + max(0, deadline - ground.clock()) / 1_000_000
    attempts: list[Attempt] = []
    try:
        step = next(flow)
        for _ in range(MAX_STEPS):
            if isinstance(step, Wait):
                await ground.pause(max(0.0, min(step.seconds, end - ground.monotonic())))
                response = Response(0)
            else:
                response, attempt = await _attempt(step, ground, secrets, end)
                attempts.append(attempt)
            step = flow.send(response)
    except StopIteration as finished:
        return Driven(finished.value, tuple(attempts))
    finally:
        flow.close()
    raise EndlessFlow(f"more than {MAX_STEPS} steps")


async def _attempt(request: Request, ground: Ground, configured: tuple[str, ...], end: float) -> tuple[Response, Attempt]:
    """The answer to one request and its line in the log, also when it never left."""
    secrets = secrets_of(request, configured)
    response = Response(0, failure="not_sent", detail="the time for this round was over")
    try:
        async with asyncio.timeout(max(0.0, end - ground.monotonic())):
            await ground.lane.enter()
    except TimeoutError:
        return response, _log(request, response, ground.clock(), 0, secrets)
    at, begun = ground.clock(), ground.monotonic()
    try:
        if end > begun:
            response = _scrubbed(await ground.send(request, min(TIMEOUT, end - begun)), secrets)
    finally:
        ground.lane.leave()
    return response, _log(request, response, at, round((ground.monotonic() - begun) * 1000), secrets)


def _scrubbed(response: Response, secrets: tuple[str, ...]) -> Response:
    """The answer without our own secrets: what a careless server repeats cannot get into reasons, histories or reports."""
    if not response.body and not response.detail:
        return response
    body = response.body
    for secret in secrets:
        body = body.replace(secret.encode(), MARK.encode())
    return replace(response, body=body, detail=clean(response.detail, secrets))


def _log(request: Request, response: Response, at: int, milliseconds: int, secrets: tuple[str, ...]) -> Attempt:
    return Attempt(
        at=at,
        request_line=clean(f"{request.method} {request.url}", secrets),
        status=response.status,
        failure=response.failure,
        milliseconds=milliseconds,
        request_headers=clean_headers(request.headers, secrets),
        request_excerpt=excerpt(request.body, secrets),
        response_headers=clean_headers(response.headers, secrets),
        response_excerpt=excerpt(response.body, secrets) or clean(response.detail, secrets),
    )


class Engine:
    """Drives flows for many connections, one lane each: the `Drive` that flows are given."""

    def __init__(self, send: Sends, *, clock: Clock, monotonic: Callable[[], float], pause: Pause = asyncio.sleep) -> None:
        self._send = send
        self._clock = clock
        self._monotonic = monotonic
        self._pause = pause
        self._lanes: dict[tuple[str, Pace], Lane] = {}

    async def __call__(self, flow: Flow[T], *, connection: str, about: About, settings: Settings, deadline: int) -> Driven[T]:
        """What the flow came to, at the pace of its connection and before its deadline."""
        key = (connection, about.pace)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(about.pace, self._monotonic, self._pause)
        ground = Ground(self._send, lane, self._clock, self._monotonic, self._pause)
        return await drive(flow, ground=ground, secrets=settings.secrets(about.settings), deadline=deadline)
