"""A hub on a database that can be copied and put back while nothing runs, reached over HTTP and by its commands."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import structlog

from database import execute
from operators import Done, invoke
from running import UNHURRIED, served
from sayso.app import web_app, working
from sayso.contracts.desk import SCOPES, Client, Grant
from sayso.opening import Parts, opened
from sayso.rules.tokens import access_token, fingerprint
from sayso.settings import read
from sayso.store.embedded import Server

PATIENCE = 60.0
PROMOTION = {"channel": "email", "category": "promotional"}


@dataclass(slots=True)
class Running:
    """A hub while it runs: its parts, and calls over HTTP."""

    parts: Parts
    base: str
    session: aiohttp.ClientSession

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self.session.request(method, self.base + path, json=body) as answer:
            raw = await answer.read()
            return answer.status, json.loads(raw) if "json" in answer.content_type else raw.decode()

    async def prefer(self, contact: str, *, out: bool) -> int:
        choice = "opted_out" if out else "opted_in"
        body = {"email": f"{contact}@example.com", "country": "US", "email_pref_promotional": choice}
        return (await self.ask("POST", f"/api/v2/contacts/{contact}/email_preferences", body))[0]

    async def check(self, contact: str, **more: str) -> tuple[bool, list[str]]:
        status, answer = await self.ask("POST", "/api/v2/send_checks", {"contact_id": contact, **PROMOTION, **more})
        assert status == 200, answer
        return answer["allowed"], [reason["code"] for reason in answer["reasons"]]

    async def signed(self) -> int:
        """The size of the signed log once every entry that was written is under its signature."""

        async def done() -> int:
            waiting = await self.parts.pool.fetchval("SELECT count(*) FROM to_sequence")
            size, newest = await self.parts.log.size(), await self.parts.log.newest()
            return size if not waiting and newest and newest.size == size else 0

        return int(await until(done, "everything to be signed"))


async def until(ask: Any, what: str) -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := await ask()):
        assert time.monotonic() < end, f"waited in vain for {what}; last answer {found!r}"
        await asyncio.sleep(0.02)
    return found


@dataclass(slots=True)
class Shop:
    """One database of a server, the data folder of one host, and copies of the database by name."""

    server: Server
    name: str
    folder: Path
    token: str = ""
    copy_name: str = ""

    @property
    def environment(self) -> dict[str, str]:
        return {"SAYSO_DATA_DIR": str(self.folder), "SAYSO_DATABASE_URL": self.server.dsn_of(self.name)}

    @asynccontextmanager
    async def running(self, folder: Path | None = None, *, worker: bool = True) -> AsyncIterator[Running]:
        """The hub at work; with another `folder` it is another host's."""
        settings = read({**self.environment, "SAYSO_DATA_DIR": str(folder or self.folder)})
        async with opened(settings, patience=UNHURRIED) as parts, served(web_app(parts)) as base:
            if not self.token:
                self.token = await _enrolled(parts)
            async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {self.token}"}) as session:
                if worker:
                    async with working(parts):
                        yield Running(parts, base, session)
                else:
                    yield Running(parts, base, session)

    async def copy(self) -> str:
        """Copies the database as it is on disk; nobody may use it. The copy's name."""
        name = f"{self.name}_copy_{time.monotonic_ns()}"
        await execute(self.server.dsn, f"CREATE DATABASE {name} TEMPLATE {self.name}")
        return name

    async def put_back(self, copy: str) -> None:
        """Replaces the database by a copy of it that is older; the copy stays."""
        drop = f"DROP DATABASE {self.name} WITH (FORCE)"
        await execute(self.server.dsn, drop, f"CREATE DATABASE {self.name} TEMPLATE {copy}")

    async def sayso(self, *arguments: str) -> Done:
        """One command, as an operator on this host types it."""
        with _environment(self.environment):
            try:
                return await asyncio.to_thread(invoke, *arguments)
            finally:
                structlog.reset_defaults()  # a command logs to its own stderr, which ends with it


async def _enrolled(parts: Parts) -> str:
    now, token = time.time_ns() // 1_000, access_token(os.urandom(32))
    await parts.desk.add_client(Client("cl_shop", "The shop", tuple(SCOPES), False, now), fingerprint("unused"))
    await parts.desk.keep_token(fingerprint(token), Grant("cl_shop", tuple(SCOPES), False, now + 86_400_000_000))
    return token


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: value for name, value in os.environ.items() if name.startswith("SAYSO_")}
    for name in before:
        del os.environ[name]
    os.environ.update(values)
    try:
        yield
    finally:
        for name in values:
            del os.environ[name]
        os.environ.update(before)
