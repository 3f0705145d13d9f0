"""The simulated world: a Mailchimp, a SendGrid and a shop as local servers, remembered in one file over restarts and kills."""

import json
import os
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import aiohttp
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from sayso.demo.shop import Shop
from sayso.demo.watching import KEPT, Say, by_mailchimp, by_sendgrid, by_shop, watched
from sayso.rules.times import SECOND
from sayso.rules.tokens import SECRET_BYTES, webhook_secret
from sayso.testing.fake_mailchimp import FakeMailchimp
from sayso.testing.fake_sendgrid import FakeSendGrid
from sayso.testing.fake_server import FakeServer, serving
from sayso.web.console.parts import Glimpse

GROUPS: Final = {"promotional": 101, "events": 102, "product_updates": 103, "educational": 104}
NAMES: Final = ("mailchimp", "sendgrid", "shop")
SHOP_PATH: Final = "/hooks/sayso"
CLICK_SECONDS: Final = 20


class ClickLost(Exception):
    """The hub did not take what the simulated SendGrid told it; the message holds its answer."""


@dataclass(slots=True)
class World:
    """The vendors with what they hold. `ports` and `connections` are by name; `client` is the hub's client for the tour's token."""

    file: Path
    clock: Callable[[], int]
    mailchimp: FakeMailchimp
    sendgrid: FakeSendGrid
    shop: Shop
    ports: dict[str, int] = field(default_factory=dict)
    connections: dict[str, str] = field(default_factory=dict)
    client: str = ""
    people: int = 0
    glimpses: deque[Glimpse] = field(default_factory=lambda: deque(maxlen=KEPT))

    def url(self, name: str) -> str:
        """Where a vendor's API is."""
        ends = {"mailchimp": "/3.0", "shop": SHOP_PATH}
        return f"http://127.0.0.1:{self.ports[name]}{ends.get(name, '')}"

    def save(self) -> None:
        """Writes everything down in one step: what was acknowledged to the hub is still held after a kill."""
        for fake in (self.mailchimp.server, self.sendgrid.server):
            fake.seen.clear()
        members = [list(one.values()) for one in self.mailchimp.members.values()]
        fields = list(next(iter(self.mailchimp.members.values()), {}))
        pem = self.sendgrid.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        held = {
            "ports": self.ports, "connections": self.connections, "client": self.client, "people": self.people,
            "mailchimp": {"fields": fields, "members": members, "compliance": sorted(self.mailchimp.compliance)},
            "sendgrid": {"key": pem, "groups": self.sendgrid.groups, "everywhere": self.sendgrid.everywhere},
            "shop": self.shop.secret,
        }  # fmt: skip
        new = self.file.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            json.dump(held, out)
        new.replace(self.file)

    async def leave(self, hub: str, email: str, category: str) -> None:
        """Somebody clicks unsubscribe in a mail of the simulated SendGrid: it notes that, and tells the hub. Raises ClickLost."""
        group = GROUPS[category]
        now = self.clock() // SECOND
        self.sendgrid.groups[group][email] = now
        self.save()
        event = {"email": email, "timestamp": now, "event": "group_unsubscribe", "asm_group_id": group, "sg_event_id": uuid4().hex,
                 "sg_message_id": "spring-26.demo", "useragent": "Mozilla/5.0", "ip": "203.0.113.7"}  # fmt: skip
        headers, body = self.sendgrid.signed([event])
        patience = aiohttp.ClientTimeout(total=CLICK_SECONDS)
        hook = f"{hub}/hooks/{self.connections['sendgrid']}"
        async with (
            aiohttp.ClientSession(timeout=patience) as session,
            session.post(hook, data=body, headers=dict(headers)) as answer,
        ):
            if answer.status != 200:
                raise ClickLost(f"the hub answered {answer.status}: {(await answer.text())[:300]}")
        self.glimpses.appendleft(
            Glimpse(self.clock(), "SendGrid", f"{email} clicked unsubscribe in group {group}; told the hub", "its own webhook")
        )


def fresh(file: Path, clock: Callable[[], int], chance: Callable[[int], bytes]) -> World:
    """A world in which nobody is anywhere yet."""
    sendgrid = FakeSendGrid(clock, groups={number: {} for number in GROUPS.values()})
    return World(file, clock, FakeMailchimp(clock), sendgrid, Shop(webhook_secret(chance(SECRET_BYTES))))


def remembered(file: Path, clock: Callable[[], int]) -> World:
    """The world as it was written down. Raises OSError, ValueError or KeyError for a file that is not there or not whole."""
    held: dict[str, Any] = json.loads(file.read_text())
    key = load_pem_private_key(held["sendgrid"]["key"].encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)  # save() wrote it
    groups = {int(number): rows for number, rows in held["sendgrid"]["groups"].items()}
    sendgrid = FakeSendGrid(clock, groups=groups, everywhere=held["sendgrid"]["everywhere"], key=key)
    rows = [dict(zip(held["mailchimp"]["fields"], row, strict=True)) for row in held["mailchimp"]["members"]]
    mailchimp = FakeMailchimp(clock, members={row["id"]: row for row in rows}, compliance=set(held["mailchimp"]["compliance"]))
    connections = {name: str(UUID(one)) for name, one in held["connections"].items()}
    return World(file, clock, mailchimp, sendgrid, Shop(held["shop"]), dict(held["ports"]), connections, held["client"], held["people"])


@asynccontextmanager
async def running(world: World) -> AsyncIterator[frozenset[str]]:
    """The vendors at work until the block ends, on the ports they had before where those are free; gives the names that had to move."""
    makers: dict[str, tuple[Callable[[], web.Application], FakeServer, str, Say]] = {
        "mailchimp": (
            world.mailchimp.app,
            world.mailchimp.server,
            "Mailchimp",
            lambda asked, body: by_mailchimp(asked, body, world.mailchimp.members),
        ),
        "sendgrid": (world.sendgrid.app, world.sendgrid.server, "SendGrid", by_sendgrid),
        "shop": (world.shop.app, FakeServer(), "Shop", by_shop),
    }
    moved = set()
    async with AsyncExitStack() as stack:
        for name, (make, server, title, say) in makers.items():
            wanted = world.ports.get(name, 0)

            def app(make: Callable[[], web.Application] = make, title: str = title, say: Say = say) -> web.Application:
                return watched(make(), title, say, world.glimpses, world.clock, world.save)

            try:
                base = await stack.enter_async_context(serving(app(), server, wanted))
            except OSError:
                base = await stack.enter_async_context(serving(app(), server, 0))
            world.ports[name] = int(base.rpartition(":")[2])
            if world.ports[name] != wanted:
                moved.add(name)
        world.save()
        yield frozenset(moved)
