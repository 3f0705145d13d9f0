"""A whole hub on a loopback port, with its own clock, and the people who open links of it."""

import base64
import itertools
import json
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from running import UNHURRIED, served
from sayso.app import web_app
from sayso.contracts.book import Key
from sayso.contracts.desk import SCOPES, Client, Grant
from sayso.flows.record import Said, record
from sayso.opening import Parts, opened
from sayso.rules.catalogue import DEFAULT, to_json
from sayso.rules.statements import Choose, Voice
from sayso.rules.subjects import CONTACT
from sayso.rules.tokens import Link, access_token, fingerprint, sign_link
from sayso.rules.words import ANY, Scope
from sayso.settings import read

ADA = "ada@example.com"
COUNT = itertools.count(1)
HOUR = 3_600_000_000
PROMO = Scope(ANY, "email", "promotional")
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, and what its page holds."""

    status: int
    headers: Any
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    def hidden(self, name: str = "form") -> str:
        """The value of a hidden field of the page."""
        found = re.search(rf'name="{name}"\s+value="([^"]*)"|value="([^"]*)"\s+name="{name}"', self.text)
        assert found, f"no field {name} on the page"
        return unescape(found[1] or found[2])

    @property
    def ticked(self) -> set[str]:
        """The categories whose boxes are ticked."""
        boxes = re.findall(r"<input[^>]*name=\"keep\"[^>]*>", self.text)
        return {found[1] for box in boxes if re.search(r"\bchecked\b", box) and (found := re.search(r'value="([^"]*)"', box))}

    @property
    def shown(self) -> set[str]:
        """The categories that can be chosen."""
        return set(re.findall(r'<input[^>]*name="shown"[^>]*value="([^"]*)"', self.text))

    @property
    def undo_form(self) -> str:
        """The hidden field of the undo's own form."""
        return self.text.partition('action="/undo/')[2].partition('name="form" value="')[2].partition('"')[0]

    @property
    def undo(self) -> str:
        """Where the undo of this page leads."""
        found = re.search(r'action="(/undo/[^"]+)"', self.text)
        assert found, "no undo on the page"
        return found[1]


@dataclass(slots=True)
class Town:
    """The hub and whoever knocks at it."""

    parts: Parts
    base: str
    session: aiohttp.ClientSession
    agent: str = "Mozilla/5.0 (a person)"
    email: str = ADA
    contact: str = "c-1001"

    async def call(self, method: str, path: str, *, data: Any = None, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """One request; redirects are not followed."""
        sent = {"User-Agent": self.agent, **(headers or {})}
        raw = data
        if body is not None:
            raw, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        async with self.session.request(
            method, URL(self.base + path, encoded=True), data=raw, headers=sent, allow_redirects=False
        ) as answer:
            return Answer(answer.status, answer.headers, (await answer.read()).decode("utf-8", "replace"))

    async def get(self, path: str, **more: Any) -> Answer:
        return await self.call("GET", path, **more)

    async def post(self, path: str, data: Any = None, **more: Any) -> Answer:
        return await self.call("POST", path, data=data, **more)

    async def meets(self, email: str = "", contact: str = "") -> tuple[str, str]:
        """A contact with an address, known and silent; the pseudonyms of both. The person of this test unless others are named."""
        email, contact = email or self.email, contact or self.contact
        ground = await self.parts.current.ground()
        who, at = Key(CONTACT, contact, contact), Key("email", email, email)
        said = Said(Voice("api", False, "c:shop:api", "c:shop"), (), who, at, ties=((at, True),))
        page = (await record(said, book=self.parts.book, ground=ground)).page
        return page.keys[who], page.keys[at]

    async def link(
        self, email: str = "", contact: str = "", scope: Scope = PROMO, *, fresh: bool = False, campaign: str = "", message: str = "",
        expired: bool = False,
    ) -> str:  # fmt: skip
        """The token of a link to somebody, who is made where nobody knew them."""
        who, at = await self.meets(email, contact)
        link = Link(bytes.fromhex(who), bytes.fromhex(at), scope, campaign, message)
        now = self.parts.current.held.clock()
        until = now - HOUR if expired else now + HOUR // 2 if fresh or expired else None
        return sign_link(self.parts.keys.token_ring, link, fresh_until=until)

    async def opts_in(self, *categories: str, email: str = "", contact: str = "", brand: str = ANY) -> None:
        """Somebody's own consent to categories, as a page would have recorded it."""
        email, contact = email or self.email, contact or self.contact
        ground = await self.parts.current.ground()
        words = tuple(Choose(Scope(brand, "email", one), out=False) for one in categories)
        said = Said(Voice("preference_center", True, "", "c:center"), words, Key(CONTACT, contact, contact), Key("email", email, email))
        await record(said, book=self.parts.book, ground=ground)

    async def save(self, token: str, *keep: str, at: str = "", **fields: str) -> Answer:
        """Opens a page, ticks exactly these boxes, and saves."""
        page = await self.get(f"/preferences/{token}{at}")
        data = [("form", page.hidden()), *(("shown", one) for one in sorted(page.shown)), *(("keep", one) for one in keep)]
        return await self.post(
            f"/preferences/{token}{at}", [*data, *fields.items()] if fields.get("action") else [*data, ("action", "save"), *fields.items()]
        )

    async def entries(self, email: str = "", contact: str = "", kinds: tuple[str, ...] = ("choice", "pause", "event")) -> list[Any]:
        """Everything recorded about somebody, oldest first, copies left out."""
        email, contact = email or self.email, contact or self.contact
        page = await self.parts.book.read([Key(CONTACT, contact), Key("email", email)])
        found = await self.parts.book.entries(sorted(page.rows), kinds=kinds, after="", limit=500, newest_first=False)
        return [one for one in found if "twin" not in one.fields.get("x", {})]


@asynccontextmanager
async def town(database: str, folder: Path, **settings: str) -> AsyncIterator[Town]:
    """A hub without a worker."""
    env = {"SAYSO_DATA_DIR": str(folder / "data"), "SAYSO_DATABASE_URL": database, **settings}
    async with (
        opened(read(env, cwd=folder), patience=UNHURRIED) as parts,
        served(web_app(parts)) as base,
        aiohttp.ClientSession() as session,
    ):
        yield Town(parts, base, session)


async def admin(town: Town) -> dict[str, str]:
    """The header of an operator."""
    client, token, now = f"cl_{next(COUNT)}", access_token(os.urandom(32)), town.parts.current.held.clock()
    await town.parts.desk.add_client(Client(client, "Ops", tuple(SCOPES), False, now), os.urandom(32))
    await town.parts.desk.keep_token(fingerprint(token), Grant(client, ("admin", "audit:read"), False, now + HOUR))
    return {"Authorization": f"Bearer {token}"}


LOGO = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==")


def new_pages() -> dict[str, Any]:
    """A draft: a text, a look, one more category, and the colleagues who see it first."""
    catalogue = to_json(DEFAULT)
    catalogue["categories"].append(
        {"key": "circulars", "class": "marketing", "title": "Circulars", "sends": "Our paper.", "often": "Weekly"}
    )
    return {
        "texts": {"en": {"preferences_lead": "We are listening."}},
        "brands": {"*": {"colours": {"accent": "#7a1f3d"}, "logo": f"data:image/png;base64,{base64.b64encode(LOGO).decode()}"}},
        "catalogue": catalogue,
        "shown_to": ["@northwind.example"],
    }


__all__ = ["ADA", "COUNT", "Answer", "Town", "admin", "new_pages", "town"]
