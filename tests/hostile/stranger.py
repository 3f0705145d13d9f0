"""A whole hub over real HTTP whose way out is unplugged, and the means to send it what no honest program would."""

import asyncio
import io
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from running import UNHURRIED, Answer, served
from sayso.app import web_app
from sayso.connectors.drive import Engine
from sayso.contracts.connector import Request, Response
from sayso.contracts.desk import SCOPES, Client, Grant
from sayso.flows.sequence import sequence
from sayso.opening import Parts, microseconds, opened
from sayso.rules.tokens import access_token, fingerprint
from sayso.settings import read

CLIENT = "cl_stranger"
SECRET = "sss_" + "s" * 43
HOUR = 3_600_000_000
KEEP_CLIENT = """
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.revoked_at := OLD.revoked_at; RETURN NEW; END $$;
CREATE TRIGGER keep BEFORE UPDATE ON client FOR EACH ROW WHEN (OLD.id = 'cl_stranger') EXECUTE FUNCTION keep();
CREATE TRIGGER keep BEFORE UPDATE ON token FOR EACH ROW WHEN (OLD.client = 'cl_stranger') EXECUTE FUNCTION keep();
"""
"""A stranger who finds the door that ends clients would end their own, and every later call would only say 401."""


async def nowhere(request: Request, timeout: float) -> Response:
    """The network, unplugged: whatever URL a stranger makes up, nothing leaves the machine."""
    return Response(0, failure="not_sent", detail="the network is unplugged")


@dataclass(slots=True)
class Doors:
    """A running hub and tokens for it."""

    parts: Parts
    base: str
    session: aiohttp.ClientSession
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return int(self.base.rsplit(":", 1)[1])

    async def token(self, scopes: str = " ".join(SCOPES)) -> str:
        """A token for scopes; for all of them when none is named."""
        if scopes not in self.tokens:
            token = access_token(os.urandom(32))
            await self.parts.desk.keep_token(fingerprint(token), Grant(CLIENT, tuple(scopes.split()), False, microseconds() + HOUR))
            self.tokens[scopes] = token
        return self.tokens[scopes]

    async def call(
        self, method: str, path: str, body: Any = None, *, scopes: str | None = None, raw: Any = None, headers: Any = None
    ) -> Answer:  # fmt: skip
        """One call; `scopes` None means a token for everything, "" none at all. The path goes out as it is written."""
        sent = dict(headers or {})
        if scopes != "":
            sent.setdefault("Authorization", f"Bearer {await (self.token(scopes) if scopes else self.token())}")
        if body is not None:
            raw = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        data = io.BytesIO(raw) if isinstance(raw, bytes) else raw
        async with self.session.request(method, URL(self.base + path, encoded=True), data=data, headers=sent) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def bytes(self, sent: bytes, *, seconds: float = 10.0) -> bytes:
        """What comes back for these very bytes on a connection of their own, until the hub closes it or stops talking."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(sent)
            await writer.drain()
            async with asyncio.timeout(seconds):
                return await _one_answer(reader)
        finally:
            writer.close()

    async def snapshot(self) -> dict[str, int]:
        """How many rows every table has: what a request changed that was not to change anything."""
        tables = await self.parts.pool.fetch(
            "SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind = 'r' AND n.nspname = 'public' ORDER BY 1"
        )
        return {row["name"]: await self.parts.pool.fetchval(f"SELECT count(*) FROM {row['name']}") for row in tables}

    async def seal(self) -> None:
        """Signs what is written so far, so that the feed and the proofs have something."""
        parts = self.parts
        await sequence(log=parts.log, anchor=parts.anchor, origin=parts.origin, private=parts.keys.ledger_key, now=microseconds())


async def _one_answer(reader: asyncio.StreamReader) -> bytes:
    """The bytes of one HTTP answer; what came so far when the connection ends."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as ended:
        return ended.partial
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return head + await reader.readexactly(int(line.partition(b":")[2]))
    return head


@asynccontextmanager
async def doors_over(database: str, folder: Path) -> AsyncIterator[Doors]:
    """The doors of a hub on a database."""
    env = {"SAYSO_DATA_DIR": str(folder), "SAYSO_DATABASE_URL": database, "SAYSO_DEFAULT_COUNTRY": "US"}
    async with opened(read(env), patience=UNHURRIED) as parts:
        parts.engine = Engine(nowhere, clock=microseconds, monotonic=time.monotonic)
        await parts.pool.execute(KEEP_CLIENT)
        await parts.desk.add_client(Client(CLIENT, "Stranger", tuple(SCOPES), False, microseconds()), fingerprint(SECRET))
        async with served(web_app(parts)) as base, aiohttp.ClientSession() as session:
            found = Doors(parts, base, session)
            await found.token()
            yield found
