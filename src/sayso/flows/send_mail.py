"""Send mail: letters that are due are written as things stand now, and handed over. What is not taken is tried again; nothing is lost."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog

from sayso.contracts.book import Book, Key, Unavailable
from sayso.contracts.ground import Ground
from sayso.contracts.letters import Confirmation, DoubleOptIn, FreshLink, Letter, Letters, Matter, gathered
from sayso.contracts.mailer import Compose, Draft, Mail, NeverTaken, NotNow, Sender, Submit
from sayso.contracts.messages import MailKeys
from sayso.contracts.people import Opened
from sayso.flows.open_link import opened
from sayso.rules import view
from sayso.rules.backoff import next_due
from sayso.rules.headers import mailto, unsubscribe_headers
from sayso.rules.times import DAY, HOUR, MINUTE
from sayso.rules.tokens import Link, Ring, Undo, sign, sign_link, sign_undo
from sayso.rules.words import ANY, Scope

log = structlog.get_logger("sayso.mail")

LEASE: Final = 10 * MINUTE
BEGUN_WITHIN: Final = 6 * MINUTE
"""A letter that is not begun by then is left to whoever claims it next: handing it over may take as long as the rest of the lease."""
FRESH: Final = HOUR
UNDO_LIFE: Final = 30 * MINUTE
LINK_WAITS: Final = DAY
"""Nobody expects a link they asked for longer ago."""
GIVEN_UP: Final = 30 * DAY
MOST: Final = 100
"""Entries that one undo names: they still fit a link."""
STOPPING: Final = frozenset({"blacklist", "hard_bounce", "complaint", "erasing", "erased"})
"""Blocks that keep our mail away. A complaint does not stop a link that the person asks for themselves."""


@dataclass(frozen=True, slots=True)
class Mailroom:
    """What writing and sending takes: the ports, what a brand says of itself, where links lead, and the mailbox for opt-outs by mail."""

    compose: Compose
    submit: Submit
    sender: Callable[[str], Awaitable[Sender]]
    ring: Ring = field(repr=False)
    public_url: str
    mailbox: str | None = None
    mail_keys: MailKeys | None = None


class _Undue(Exception):
    """The letter must not be sent any more; the text says why."""


async def send_mail(*, letters: Letters, room: Mailroom, book: Book, ground: Ground, limit: int, at_once: int = 4) -> int:
    """How many letters were dealt with: sent, put back, or set aside. Raises Unavailable; then leases bring back what was claimed."""
    claimed_at = ground.clock()
    claimed = await letters.claim(now=claimed_at, limit=limit, lease=LEASE)
    lane = asyncio.Semaphore(at_once)

    async def one(letter: Letter) -> None:
        try:
            async with lane:
                if ground.clock() - claimed_at < BEGUN_WITHIN:
                    await _send(letter, letters, room, book, ground)
        except asyncio.CancelledError:
            await _hand_back(letter, letters, ground)
            raise

    became = await asyncio.gather(*(one(letter) for letter in claimed), return_exceptions=True)
    for failed in became:
        if isinstance(failed, BaseException):
            raise failed
    return len(claimed)


async def _send(letter: Letter, letters: Letters, room: Mailroom, book: Book, ground: Ground) -> None:
    kind, told = letter.kind, {"letter": str(letter.id), "kind": letter.kind}
    try:
        draft = await _draft(letter, letters, room, book, ground)
        await room.submit(_written(draft, room))
    except _Undue as why:
        log.info("letter dropped", **told, cause=str(why))
        await letters.drop(letter, str(why), ground.clock())
    except NeverTaken as refused:
        log.error("letter parked", **told, cause=str(refused))
        await letters.park(letter, str(refused), ground.clock())
    except Unavailable:
        raise
    except NotNow as busy:
        await _again(letter, str(busy), letters, ground)
    except Exception as bug:
        log.exception("letter failed", kind=kind)
        await _again(letter, f"could not be written: {type(bug).__name__}", letters, ground)
    else:
        await letters.sent(letter, ground.clock())


def _written(draft: Draft, room: Mailroom) -> Mail:
    """The mail. What cannot be written today cannot be written tomorrow; the cause names nobody."""
    try:
        return room.compose(draft)
    except ValueError as bad:
        raise NeverTaken(f"it cannot be written: {bad if type(bad) is ValueError else type(bad).__name__}") from bad


async def _hand_back(letter: Letter, letters: Letters, ground: Ground) -> None:
    """Lets the next worker send what this one was stopped over, without waiting for the lease to end."""
    with suppress(Unavailable, TimeoutError):
        async with asyncio.timeout(2):
            await letters.later(letter, ground.clock(), "its worker was stopped")


async def _again(letter: Letter, cause: str, letters: Letters, ground: Ground) -> None:
    now, chance = ground.clock(), int.from_bytes(ground.chance(4)) / 0xFFFFFFFF
    if now - letter.made_at > GIVEN_UP:
        await letters.park(letter, f"tried for 30 days: {cause}", now)
        return
    log.warning("letter not taken", letter=str(letter.id), kind=letter.kind, attempts=letter.attempts + 1, cause=cause)
    await letters.later(letter, next_due(letter.attempts + 1, now, chance, None), cause)


async def _draft(letter: Letter, letters: Letters, room: Mailroom, book: Book, ground: Ground) -> Draft:
    """What the letter says, and to whom, as things stand now. Raises _Undue."""
    matter, now = letter.matter, ground.clock()
    if matter is None:
        raise _Undue("erased")
    people = await opened(_link(matter, letter.sub), "", fresh=True, book=book, ground=ground)
    if people.gone:
        raise _Undue("erased")
    if people.email is None:
        raise _Undue("no_email_address")
    key = Key(people.email.kind, people.email.value, people.email.given)
    row = (await book.read([key])).row(key)
    blocks = {block for one in (row, people.about) if one for block in view.blocks_of(one.state)}
    blocks |= {"blacklist"} if view.is_blacklisted(people.readings) else set()
    if stopped := sorted(blocks & (STOPPING - {"complaint"} if isinstance(matter, FreshLink) else STOPPING)):
        raise _Undue(f"blocked: {stopped[0]}")
    await _still_due(letter, matter, letters, now)
    brand = _brand(matter)
    here = Link(_contact(people), bytes.fromhex(row.sub) if row else None, Scope(brand, "email", ANY))
    token = sign_link(room.ring, here)
    act_url, until = _act(matter, people, here, room, now)
    return Draft(
        id=letter.id,
        kind=letter.kind,
        to=people.email.given,
        language=matter.language or await _language(people, book),
        sender=await room.sender(brand),
        catalogue=ground.catalogue,
        now=now,
        act_url=act_url,
        preferences_url=f"{room.public_url}/preferences/{token}",
        until=until,
        changes=() if isinstance(matter, FreshLink | DoubleOptIn) else gathered(matter.changes),
        scopes=matter.scopes if isinstance(matter, DoubleOptIn) else (),
        headers=await _headers(token, here, room),
    )


def _link(matter: Matter, sub: str) -> Link:
    """Whom a letter is about and the address it goes to: that which spoke or was asked, else the primary one of the subject."""
    if isinstance(matter, Confirmation):
        return Link(bytes.fromhex(sub), _raw(matter.address), Scope(ANY, "email", ANY))
    return Link(_raw(matter.contact), _raw(matter.address), Scope(ANY, "email", ANY))


async def _still_due(letter: Letter, matter: Matter, letters: Letters, now: int) -> None:
    if isinstance(matter, FreshLink) and now - letter.made_at > LINK_WAITS:
        raise _Undue("asked for too long ago")
    if isinstance(matter, DoubleOptIn):
        waiting = await letters.pending(matter.pending)
        if waiting is None or waiting.confirmed_at is not None or now >= waiting.expires_at:
            raise _Undue("nothing waits for this any more")
    if not isinstance(matter, Confirmation | FreshLink | DoubleOptIn) and now >= matter.undo_until:
        raise _Undue("it is too late to undo")


def _act(matter: Matter, people: Opened, here: Link, room: Mailroom, now: int) -> tuple[str, int]:
    """Where the one button of the letter leads, and until when; "" where there is nothing to press."""
    match matter:
        case FreshLink():
            link = Link(here.contact, here.address, matter.scope, matter.campaign, matter.message)
            return f"{room.public_url}/preferences/{sign_link(room.ring, link, fresh_until=now + FRESH)}", now + FRESH
        case DoubleOptIn():
            token = sign(room.ring, "confirm", matter.pending.bytes, expires_at=matter.expires_at)
            return f"{room.public_url}/confirm/{token}", matter.expires_at
    until = now + UNDO_LIFE if isinstance(matter, Confirmation) else matter.undo_until
    entries = tuple(UUID(one.entry) for one in matter.changes if one.rule != "undo")[-MOST:]
    if not entries:
        return "", 0
    undo = Undo(_contact(people), _spoken_at(people), entries)
    return f"{room.public_url}/undo/{sign_undo(room.ring, undo, expires_at=until)}", until


async def _headers(token: str, link: Link, room: Mailroom) -> tuple[tuple[str, str], ...]:
    keys: Sequence[str] = await room.mail_keys.keep([link]) if room.mailbox and room.mail_keys else ()
    by_mail = mailto(room.mailbox, keys[0]) if room.mailbox and keys else None
    return tuple(unsubscribe_headers(f"{room.public_url}/u/{token}", by_mail).items())


async def _language(people: Opened, book: Book) -> str:
    """The language the person used last, as it was kept with what they said; "" where none was."""
    subs = [row.sub for key in (people.contact, people.address) if (row := people.page.row(key))]
    latest = sorted((await book.shown(subs)).latest.values(), key=lambda one: one.id, reverse=True)
    return next((str(one.detail["language"]) for one in latest if one.detail and one.detail.get("language")), "")


def _brand(matter: Matter) -> str:
    """The brand that writes: the one that everything in the letter is about, else the company."""
    match matter:
        case FreshLink():
            return matter.scope.brand
        case DoubleOptIn():
            brands = {scope.brand for scope in matter.scopes}
        case _:
            brands = {one.scope.brand for one in matter.changes}
    return brands.pop() if len(brands) == 1 else ANY


def _contact(people: Opened) -> bytes | None:
    row = people.page.row(people.contact)
    return bytes.fromhex(row.sub) if row else None


def _spoken_at(people: Opened) -> bytes | None:
    row = people.page.row(people.address)
    return bytes.fromhex(row.sub) if row else None


def _raw(sub: str) -> bytes | None:
    return bytes.fromhex(sub) if sub else None
