"""A post office over real parts: what a worker does for mail, step by step, and a mail server to hand it to."""

import asyncio
import email
import email.policy
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub import PEPPER, Hub, tools
from sayso.anchor import AnchorFolder
from sayso.contracts.book import Key
from sayso.contracts.ground import Ground
from sayso.contracts.mailer import Mail, Sender, Submit
from sayso.flows.confirm_changes import confirm_changes
from sayso.flows.record import Recorded, Said, record
from sayso.flows.send_mail import Mailroom, send_mail
from sayso.flows.sequence import sequence
from sayso.mail.compose import compose
from sayso.mail.submit import to_smtp
from sayso.rules.statements import Choose, Voice, Word
from sayso.rules.subjects import parse_address
from sayso.rules.tokens import Ring
from sayso.rules.words import Scope
from sayso.store.feed import PostgresFeed
from sayso.store.inbox import PostgresInbox
from sayso.store.ledger import PostgresLog
from sayso.store.letters import PostgresLetters
from sayso.store.messages import PostgresMailKeys

ORIGIN = "sayso.example/mail"
PRIVATE = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"the post office's key").digest())
RING = Ring("k1", {"k1": b"t" * 32})
URL = "https://sayso.example"
PROMO, EVENTS, ALL_MAIL = (Scope("*", "email", key) for key in ("promotional", "events", "*"))
ADA = Key("contact", "c-1001", "c-1001")
NORTHWIND = Sender(
    "Northwind Outfitters", '"Northwind Outfitters" <hello@northwind.example>', "1 Harbour Way", "https://northwind.example/p"
)
LINK = re.compile(r"https://sayso\.example(/\w+/[\w.-]+)")


def mail_key(address: str) -> Key:
    found = parse_address("email", address, default_region=None)
    return Key(found.kind, found.value, found.given)


ADAS_MAIL = mail_key("ada@example.com")


def parsed(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def plain(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def html(message: EmailMessage) -> str:
    part = message.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def links(message: EmailMessage) -> dict[str, str]:
    """Where a mail's links lead, by the first part of their path."""
    return {path.split("/")[1]: path.split("/")[2] for path in LINK.findall(plain(message))}


@dataclass(slots=True)
class Office:
    """A hub's letters, its ledger, and whoever takes mail from it. The clock goes on only when a test says so."""

    hub: Hub
    folder: Path
    letters: PostgresLetters
    ground: Ground
    room: Mailroom
    skew: list[int]
    outbox: list[Mail] = field(default_factory=list)

    @property
    def now(self) -> int:
        return self.ground.clock()

    def turn(self, microseconds: int) -> None:
        """Lets time go by."""
        self.skew[0] += microseconds

    async def say(
        self, *words: Word, voice: Voice | None = None, contact: Key | None = ADA, address: Key | None = None, **more: Any
    ) -> Recorded:
        """Somebody says something; Ada by default, on her page."""
        said = Said(voice or Voice("preference_center", True, "", "c:center"), words, contact, address, **more)
        return await record(said, book=self.hub.book, ground=self.ground)

    async def meet_ada(self) -> None:
        """Ada is known, with her address, by the shop."""
        await self.say(voice=Voice("api", False, "c:shop:api", "c:shop"), ties=((ADAS_MAIL, True),))

    async def confirm(self) -> None:
        """What the worker does: entries get their places, and the people they are about get letters."""
        log = PostgresLog(self.hub.pool)
        await sequence(log=log, anchor=AnchorFolder.of(self.folder, ORIGIN), origin=ORIGIN, private=PRIVATE, now=self.hub.ground.clock())
        while await confirm_changes(words=self.words, newest=log.log, letters=self.letters, now=self.now):
            pass

    def words(self, log: int) -> PostgresFeed:
        return PostgresFeed(self.hub.pool, tools().vault, log)

    async def send(self, submit: Submit | None = None) -> list[EmailMessage]:
        """The mails that went out now."""
        before = len(self.outbox)

        async def keep(mail: Mail) -> None:
            if submit is not None:
                await submit(mail)
            self.outbox.append(mail)

        await send_mail(letters=self.letters, room=replace(self.room, submit=keep), book=self.hub.book, ground=self.ground, limit=50)
        return [parsed(mail.raw) for mail in self.outbox[before:]]

    async def states(self) -> list[tuple[str, str, str | None]]:
        """Kind, state and cause of every letter, in order."""
        rows = await self.hub.pool.fetch("SELECT kind, state, cause FROM letter ORDER BY made_at, id")
        return [(row["kind"], row["state"], row["cause"]) for row in rows]

    def inbox(self) -> PostgresInbox:
        return PostgresInbox(self.hub.pool, tools())

    def mail_keys(self) -> PostgresMailKeys:
        return PostgresMailKeys(self.hub.pool, PEPPER)


def office_over(hub: Hub, folder: Path, *, mailbox: str | None = None) -> Office:
    skew = [0]
    ground = replace(hub.ground, clock=lambda: hub.ground.clock() + skew[0])

    async def sender(brand: str) -> Sender:
        return replace(NORTHWIND, company=f"Northwind {brand.title()}") if brand != "*" else NORTHWIND

    async def nobody(mail: Mail) -> None:
        raise AssertionError("no mail server was named")

    keys = PostgresMailKeys(hub.pool, PEPPER)
    room = Mailroom(compose, nobody, sender, RING, URL, mailbox, keys)
    return Office(hub, folder, PostgresLetters(hub.pool, tools()), ground, room, skew)


def stop(scope: Scope = PROMO) -> Choose:
    return Choose(scope, out=True)


@dataclass(slots=True)
class PostServer:
    """A mail server that answers as it is told, and keeps what it took."""

    port: int = 0
    rcpt: str = "250 OK"
    data: str = "250 OK"
    took: list[tuple[str, list[str], bytes]] = field(default_factory=list)

    async def handle_RCPT(self, server: SMTP, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.data.startswith("250"):
            self.took.append((envelope.mail_from, envelope.rcpt_tos, envelope.original_content))
        return self.data

    @property
    def submit(self) -> Submit:
        return to_smtp("127.0.0.1", self.port, seconds=5)


@asynccontextmanager
async def post_server() -> AsyncIterator[PostServer]:
    """A mail server on a free port of this machine."""
    held, loop = PostServer(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(held, loop=loop, enable_SMTPUTF8=True), "127.0.0.1", 0)
    held.port = server.sockets[0].getsockname()[1]
    try:
        yield held
    finally:
        server.close()
        await server.wait_closed()
