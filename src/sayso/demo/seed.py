"""Seeding: tells the story to an empty hub, through the same door as everybody else."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from sayso.contracts.book import Key
from sayso.contracts.desk import Client
from sayso.contracts.ground import Ground
from sayso.demo.story import CLIENTS, Contact, Told, story
from sayso.flows.record import Said, act_of, key_of
from sayso.rules.statements import Suspend
from sayso.rules.subjects import parse_address
from sayso.rules.tokens import SECRET_BYTES, client_secret, fingerprint
from sayso.store.book import PostgresBook
from sayso.store.desk import PostgresDesk

CHUNK: Final = 400
Progress = Callable[[int], None]
"""Told how many more statements were kept."""


async def make_clients(desk: PostgresDesk, ground: Ground) -> None:
    """The programs that the story speaks of; nobody has their secrets."""
    for client_id, name in CLIENTS:
        secret = client_secret(ground.chance(SECRET_BYTES))
        await desk.add_client(Client(client_id, name, ("email_preferences", "events"), False, ground.clock()), fingerprint(secret))


async def seed(people: int, *, book: PostgresBook, ground: Ground, now: int, progress: Progress) -> None:
    """Keeps the whole story. Raises whatever the first statement that could not be kept raised."""
    for wave in story(people):
        for start in range(0, len(wave), CHUNK):
            chunk = wave[start : start + CHUNK]
            for became in await book.write_all([act_of(said(told, now), ground) for told in chunk]):
                if isinstance(became, Exception):
                    raise became
            progress(len(chunk))


def size_of(people: int) -> int:
    """How many statements the story has."""
    return sum(len(wave) for wave in story(people))


def said(told: Told, now: int) -> Said:
    """One statement of the story as an act, dated back from now."""
    who = told.who
    words = tuple(replace(word, until=now + word.until) if isinstance(word, Suspend) and word.until else word for word in told.words)
    return Said(
        voice=told.voice,
        words=words,
        contact=contact_key(who),
        address=email_key(who) if told.at_address else None,
        ties=_ties(who) if told.joins else (),
        given_ts=now - told.ago,
        personal={"reason": told.reason or None},
    )


def contact_key(who: Contact) -> Key:
    """The key of a contact of the story."""
    return Key("contact", who.id, who.id)


def email_key(who: Contact) -> Key:
    """The key of their e-mail address."""
    return key_of(parse_address("email", who.email, default_region=None))


def _ties(who: Contact) -> tuple[tuple[Key, bool], ...]:
    found = [(email_key(who), True)]
    if who.phone:
        found.append((key_of(parse_address("sms", who.phone, default_region=None)), True))
    return tuple(found)
