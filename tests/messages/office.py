"""A whole hub for senders: its doors over HTTP, its parts, and a clock that can be set ahead."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

from running import UNHURRIED, Answer, served
from sayso.app import web_app
from sayso.contracts.desk import SCOPES, Client, Grant
from sayso.opening import Parts, microseconds, opened
from sayso.rules.times import HOUR
from sayso.rules.tokens import access_token, fingerprint
from sayso.settings import read
from sayso.web.hub import Current

BASE = "https://prefs.example.com"


@dataclass(slots=True)
class Clock:
    """The hub's own clock, ahead of the machine's by so many microseconds."""

    ahead: int = 0

    def __call__(self) -> int:
        return microseconds() + self.ahead


@dataclass(slots=True)
class Office:
    """Calls a running hub with one token that is good for everything."""

    base: str
    parts: Parts
    clock: Clock
    session: aiohttp.ClientSession
    token: str

    async def call(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> Answer:
        headers = {"Authorization": f"Bearer {token or self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        async with self.session.request(method, self.base + path, data=data, headers=headers) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def get(self, path: str) -> Answer:
        return await self.call("GET", path)

    async def post(self, path: str, body: Any) -> Answer:
        return await self.call("POST", path, body)

    async def prefer(self, contact: str, **wanted: Any) -> None:
        answer = await self.post(f"/api/v2/contacts/{quote(contact)}/email_preferences", wanted)
        assert answer.status == 200, answer.raw

    async def check(self, **asked: Any) -> Any:
        answer = await self.post("/api/v2/send_checks", {"channel": "email", "category": "promotional", **asked})
        assert answer.status == 200, answer.raw
        return answer.json

    async def tell(self, **told: Any) -> Any:
        answer = await self.post("/api/v2/messages", {"channel": "email", "category": "promotional", **told})
        assert answer.status == 201, answer.raw
        return answer.json

    async def violation(self, **told: Any) -> str | None:
        found = (await self.tell(**told))["violation"]
        return found["code"] if found else None

    async def links(self, **wanted: Any) -> Any:
        answer = await self.post("/api/v2/links", {"channel": "email", "category": "promotional", **wanted})
        assert answer.status == 200, answer.raw
        return answer.json

    async def token_for(self, *scopes: str) -> str:
        token = access_token(os.urandom(32))
        await self.parts.desk.keep_token(fingerprint(token), Grant("cl_mailer", scopes, False, microseconds() + HOUR))
        return token


@asynccontextmanager
async def office_over(database: str, folder: Path, **env: str) -> AsyncIterator[Office]:
    """A hub on a database of its own, without a worker."""
    given = {"SAYSO_DATA_DIR": str(folder), "SAYSO_DATABASE_URL": database, "SAYSO_PUBLIC_URL": BASE, **env}
    async with opened(read(given, cwd=folder.parent), patience=UNHURRIED) as parts:
        clock = Clock()
        parts.current = Current(replace(parts.current.held, clock=clock), parts.desk)
        await parts.desk.add_client(Client("cl_mailer", "The mailer", tuple(SCOPES), False, microseconds()), fingerprint("sss_mailer"))
        async with served(web_app(parts)) as base, aiohttp.ClientSession() as session:
            found = Office(base, parts, clock, session, "")
            found.token = await found.token_for(*SCOPES)
            yield found
