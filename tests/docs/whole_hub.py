"""A whole hub on a loopback port, as `sayso serve` runs it, for pages and examples that say what it does."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from running import UNHURRIED, served
from sayso.app import web_app, working
from sayso.contracts.desk import SCOPES
from sayso.flows.enrol import enrol
from sayso.opening import Parts, opened
from sayso.rules.notes import key_of, key_text
from sayso.settings import read


@dataclass(frozen=True, slots=True)
class Whole:
    """A running hub, and a client of it that may do everything."""

    base: str
    parts: Parts
    client_id: str
    secret: str
    session: aiohttp.ClientSession

    @property
    def env(self) -> dict[str, str]:
        """The environment that the examples ask for."""
        return {"SAYSO_URL": self.base, "SAYSO_CLIENT_ID": self.client_id, "SAYSO_CLIENT_SECRET": self.secret}

    @property
    def verifier(self) -> str:
        """The ledger's public key as one line."""
        return key_text(key_of(self.parts.keys.ledger_name, self.parts.keys.ledger_key))

    async def token(self) -> str:
        """An access token for every scope."""
        data = {"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": self.secret}
        async with self.session.post(f"{self.base}/oauth/token", data=data) as answer:
            return str((await answer.json())["access_token"])

    async def call(self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, token: str | None = None) -> Any:
        """Status, headers and bytes of one call."""
        headers = {"Authorization": f"Bearer {token or await self.token()}", "Content-Type": "application/json"}
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        async with self.session.request(method, self.base + path, data=data, headers=headers) as answer:
            return answer.status, answer.headers, await answer.read()


@pytest.fixture
async def whole(database: str, tmp_path: Path) -> AsyncIterator[Whole]:
    env = {"SAYSO_DATA_DIR": str(tmp_path / "data"), "SAYSO_DATABASE_URL": database, "SAYSO_WEBHOOK_ALLOW": "127.0.0.0/8"}
    async with opened(read(env, cwd=tmp_path), patience=UNHURRIED) as parts:
        ground = await parts.current.ground()
        made = await enrol("examples", tuple(SCOPES), "c:operator", relay_only=False, desk=parts.desk, book=parts.book, ground=ground)
        async with served(web_app(parts)) as base, working(parts), aiohttp.ClientSession() as session:
            yield Whole(base, parts, made.client.id, made.secret, session)
