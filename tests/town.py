"""A whole hub with its worker on a real database and over real HTTP, and the systems around it: fake vendors and a webhook receiver."""

import asyncio
import io
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from standardwebhooks import Webhook
from yarl import URL

from running import UNHURRIED, served
from sayso.app import web_app, working
from sayso.contracts.desk import SCOPES, Client, Grant
from sayso.opening import Parts, microseconds, opened
from sayso.rules.tokens import access_token, fingerprint
from sayso.settings import read
from sayso.testing.fake_mailchimp import FakeMailchimp
from sayso.testing.fake_sendgrid import FakeSendGrid
from sayso.testing.fake_server import FakeServer, serving
from sayso.worker import Worker

ADA = "ada@example.com"
PATIENCE = 30.0
"""Seconds: a hub tells within one; a machine that runs other things beside it may take ten times as long and more."""
HOUR = 3_600_000_000
GROUPS = {"promotional": 101, "events": 102}


async def eventually(look: Callable[[], Awaitable[Any]], seconds: float = PATIENCE) -> Any:
    """What `look` gives as soon as it is not empty; fails when that takes too long."""
    end = time.monotonic() + seconds
    while True:
        found = await look()
        if found:
            return found
        assert time.monotonic() < end, f"still {found!r} after {seconds} s"
        await asyncio.sleep(0.05)


@dataclass(slots=True)
class Receiver:
    """Somebody's webhook endpoint: keeps what it accepts, and can be told to misbehave."""

    url: str
    server: FakeServer
    got: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)

    def verified(self, secret: str) -> list[dict[str, Any]]:
        """The bodies of all requests so far, each verified by the library that others would use."""
        return [Webhook(secret).verify(seen.body, dict(seen.headers)) for seen in self.server.seen]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The accepted deliveries of one type."""
        return [one for one in self.got if one["type"] == kind]

    def flagged(self) -> list[dict[str, Any]]:
        """The states it was told in which all e-mail is opted out."""
        return [one["data"] for one in self.of("preferences.changed") if one["data"]["preferences"]["email_opt_out_global"]]


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on the loopback."""
    fake = FakeServer()
    here = Receiver("", fake)

    async def take(request: web.Request, body: bytes) -> web.StreamResponse:
        here.got.append(json.loads(body))
        here.ids.append(request.headers["webhook-id"])
        return web.Response(status=204)

    async def serve(request: web.Request) -> web.StreamResponse:
        return await fake.answer(request, await request.read(), take, web.Response(status=200))

    app = web.Application()
    app.router.add_post("/{path:.*}", serve)
    async with serving(app, fake) as base:
        here.url = f"{base}/told"
        yield here


@dataclass(slots=True)
class Town:
    """The hub and its neighbours."""

    parts: Parts
    base: str
    session: aiohttp.ClientSession
    stack: AsyncExitStack
    worker: Worker | None = None
    _tokens: dict[str, str] = field(default_factory=dict)

    async def token(self, scopes: str) -> str:
        """A token for scopes."""
        if not self._tokens:
            await self.parts.desk.add_client(Client("cl_ops", "Ops", tuple(SCOPES), False, microseconds()), os.urandom(32))
        if scopes not in self._tokens:
            self._tokens[scopes] = token = access_token(os.urandom(32))
            await self.parts.desk.keep_token(fingerprint(token), Grant("cl_ops", tuple(scopes.split()), False, microseconds() + HOUR))
        return self._tokens[scopes]

    async def call(
        self, method: str, path: str, body: Any = None, *, scopes: str = "admin", raw: bytes | None = None, headers: Any = None
    ) -> tuple[int, Any]:
        """Status and JSON of one call; scopes "" sends no token."""
        sent = dict(headers or {})
        if scopes:
            sent["Authorization"] = f"Bearer {await self.token(scopes)}"
        if body is not None:
            raw, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        data = io.BytesIO(raw) if raw is not None else None
        async with self.session.request(method, URL(self.base + path, encoded=True), data=data, headers=sent) as answer:
            text = await answer.read()
            return answer.status, json.loads(text) if text and "json" in answer.content_type else text

    async def ok(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The JSON of a call that must succeed."""
        status, found = await self.call(method, path, body, **more)
        assert 200 <= status < 300, (status, found)
        return found

    async def say(self, contact: str, body: Any) -> Any:
        """One statement through the API."""
        return await self.ok("POST", f"/api/v2/contacts/{contact}/email_preferences", body, scopes="email_preferences")

    async def webhook(self, receiver: Receiver, **more: Any) -> Any:
        """A webhook for a receiver, as the door answered it."""
        made = await self.ok("POST", "/api/v2/webhooks", {"url": receiver.url, **more})
        receiver.secrets.append(made["secret"])
        return await self._planned(made)

    async def sendgrid(self, **settings: Any) -> tuple[FakeSendGrid, Any]:
        """A fake SendGrid account, connected."""
        fake = FakeSendGrid(microseconds)
        base = await self.stack.enter_async_context(serving(fake.app(), fake.server))
        plain = {"api_key": fake.api_key, "base_url": base, "webhook_public_key": fake.public_key, "groups": GROUPS, **settings}
        made = await self.ok("POST", "/api/v2/connections", {"connector": "sendgrid", "name": "SendGrid", "settings": plain})
        return fake, made

    async def mailchimp(self, **settings: Any) -> tuple[FakeMailchimp, Any]:
        """A fake Mailchimp audience, connected."""
        fake = FakeMailchimp(microseconds)
        base = await self.stack.enter_async_context(serving(fake.app(), fake.server))
        plain = {"api_key": fake.api_key, "list_id": fake.list_id, "webhook_secret": "s3cret", "base_url": f"{base}/3.0", **settings}
        made = await self.ok("POST", "/api/v2/connections", {"connector": "mailchimp", "name": "Mailchimp", "settings": plain})
        return fake, made

    async def _planned(self, connection: Any) -> Any:
        """The connection, once the worker has planned everybody for it: what is said during that may rightly be told twice."""
        if self.worker is not None:
            await eventually(lambda: self.backfilled(connection))
        return connection

    async def hook(self, connection: Any, headers: Any, body: bytes, query: str = "") -> tuple[int, Any]:
        """A vendor's call to a connection's address, without any token."""
        return await self.call("POST", f"/hooks/{connection['id']}{query}", scopes="", raw=body, headers=dict(headers))

    async def has(self, found: Any) -> Any:
        """What was found, for `eventually`."""
        return found

    async def backfilled(self, connection: Any) -> bool:
        """Whether everybody's state was planned for a connection."""
        return bool((await self.ok("GET", f"/api/v2/connections/{connection['id']}"))["backfilled"])

    async def settled(self, seconds: float = PATIENCE) -> None:
        """Returns when every pair is in sync."""

        async def all_told() -> bool:
            return bool((await self.ok("GET", "/api/v2/sync/accuracy", scopes="reports:read"))["accuracy"] == 1.0)

        await eventually(all_told, seconds)

    async def start_worker(self) -> None:
        """The worker begins."""
        self.worker = await self.stack.enter_async_context(working(self.parts))


@asynccontextmanager
async def town_over(database: str, folder: Path, *, worker: bool = True, allow: str = "127.0.0.0/8") -> AsyncIterator[Town]:
    """A town on a database."""
    env = {"SAYSO_DATA_DIR": str(folder), "SAYSO_DATABASE_URL": database, "SAYSO_WEBHOOK_ALLOW": allow, "SAYSO_DEFAULT_COUNTRY": "US"}
    async with AsyncExitStack() as stack:
        parts = await stack.enter_async_context(opened(read(env), patience=UNHURRIED))
        base = await stack.enter_async_context(served(web_app(parts)))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        town = Town(parts, base, session, stack)
        if worker:
            await town.start_worker()
        yield town
