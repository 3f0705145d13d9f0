"""A hub that answers over real HTTP on a loopback port, with a token for every scope."""

import asyncio
import io
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import pytest
import uvicorn
from yarl import URL

from hub import Hub as Parts
from hub import tools
from sayso.contracts.desk import SCOPES, Client, Grant
from sayso.contracts.ground import Ground
from sayso.rules.tokens import Ring, access_token, fingerprint
from sayso.serving import KEEP_ALIVE_SECONDS
from sayso.store.desk import PostgresDesk
from sayso.store.segments import PostgresSegments
from sayso.web.app_parts import api_app
from sayso.web.auth import RateLimit, TokenCache
from sayso.web.corked import CorkedHttp
from sayso.web.hub import Current, Hub

SECRET = "sss_" + "s" * 43
HOUR = 3_600_000_000
UNHURRIED = 30.0
"""Seconds of patience with the store in tests that are not about it: a busy machine is not a store that is down."""


def clock() -> int:
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: Any
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


@dataclass(slots=True)
class Api:
    """Calls a running hub. `as_` names the scope (or scopes) of the token a call carries; "" sends none."""

    base: str
    hub: Hub
    parts: Parts
    session: aiohttp.ClientSession
    client: str = "cl_shop"
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)

    async def token(self, scopes: str, client: str | None = None, *, life: int = HOUR) -> str:
        """A token of a client for scopes, the client made when it is new."""
        client = client or self.client
        if (client, scopes) not in self.tokens:
            if await self.hub.desk.client(client) is None:
                made = Client(client, f"The {client[3:]}", tuple(SCOPES), client.startswith("cl_relay"), clock())
                await self.hub.desk.add_client(made, fingerprint(SECRET))
            token = access_token(os.urandom(32))
            relay = client.startswith("cl_relay")
            await self.hub.desk.keep_token(fingerprint(token), Grant(client, tuple(scopes.split()), relay, clock() + life))
            self.tokens[client, scopes] = token
        return self.tokens[client, scopes]

    async def call(
        self, method: str, path: str, body: Any = None, *, as_: str = "email_preferences", client: str | None = None,
        headers: dict[str, str] | None = None, raw: Any = None,
    ) -> Answer:  # fmt: skip
        """One call; the path goes out exactly as it is written."""
        sent = dict(headers or {})
        if as_:
            sent.setdefault("Authorization", f"Bearer {await self.token(as_, client)}")
        data: Any = io.BytesIO(raw) if isinstance(raw, bytes) else raw
        if body is not None:
            data = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        async with self.session.request(method, URL(self.base + path, encoded=True), data=data, headers=sent) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def get(self, path: str, **more: Any) -> Answer:
        return await self.call("GET", path, **more)

    async def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        return await self.call("POST", path, body, **more)

    async def put(self, path: str, body: Any = None, **more: Any) -> Answer:
        return await self.call("PUT", path, body, **more)

    async def prefer(self, contact: str, body: Any, **more: Any) -> Any:
        """The document after a write that must succeed."""
        answer = await self.post(f"/api/v2/contacts/{contact}/email_preferences", body, **more)
        assert answer.status == 200, answer.raw
        return answer.json


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """The base URL of an app while it is served on a free loopback port."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, http=CorkedHttp, log_level="warning", access_log=False, lifespan="off",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )  # fmt: skip
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(20):
            while not server.started:
                await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


def hub_over(parts: Parts, *, rate: int | None = None, ground: Ground | None = None) -> Hub:
    """The hub as doors see it, over real parts."""
    desk = PostgresDesk(parts.pool)
    current = Current(ground or replace(parts.ground, default_country=None), desk)
    return Hub(
        book=parts.book, desk=desk, current=current, callers=TokenCache(desk.grant, clock), ring=Ring("k1", {"k1": b"t" * 32}),
        segments=PostgresSegments(parts.pool, tools().vault), public_url="https://sayso.example", rate=RateLimit(rate) if rate else None,
    )  # fmt: skip


@asynccontextmanager
async def running(hub: Hub, parts: Parts) -> AsyncIterator[Api]:
    """A hub's API while it runs."""
    app = api_app()
    app.state.hub = hub
    async with served(app) as base, aiohttp.ClientSession() as session:
        found = Api(base, hub, parts, session)
        await found.token("email_preferences")
        yield found


@pytest.fixture
async def api(hub: Parts) -> AsyncIterator[Api]:
    async with running(hub_over(hub), hub) as found:
        yield found
