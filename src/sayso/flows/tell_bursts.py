"""Tell of bursts: their numbers, and the evidence in words, read from the sealed parts of the entries they mark."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sayso.contracts.book import Book
from sayso.contracts.bursts import Burst, Bursts, Member
from sayso.rules.bursts import host_of, network_of
from sayso.rules.subjects import CONTACT

SAMPLE: Final = 100
"""Marked opt-outs that the evidence of a list is taken from; they hardly differ."""
ALL: Final = 500
"""How many a single burst shows one by one."""
MOST: Final = 5
"""How many different networks, hosts and user agents are named."""

Counted = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """One marked opt-out as it is shown: when, by whom (None: not named, or erased), from where, and the time since delivery."""

    entry: str
    at: int
    after: int | None
    contact_id: str | None = field(repr=False)
    address: str | None = field(repr=False)
    category: str
    source: str
    ip: str | None = field(repr=False)
    user_agent: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Story:
    """A burst with its evidence in words, most frequent first; erased people are missing from it. `marks` only where asked for."""

    burst: Burst
    networks: Counted
    hosts: Counted
    agents: Counted
    marks: tuple[Mark, ...] = ()


async def tell_bursts(before: UUID | None, limit: int, *, bursts: Bursts, book: Book) -> list[Story]:
    """Bursts, newest first, beginning behind one."""
    return [await _story(one, SAMPLE, bursts, book) for one in await bursts.newest(before, limit)]


async def tell_burst(burst: UUID, *, bursts: Bursts, book: Book) -> Story | None:
    """One burst with each of its opt-outs (the first 500); None when there is none of this id."""
    found = await bursts.burst(burst)
    return await _story(found, ALL, bursts, book, each=True) if found else None


async def _story(burst: Burst, limit: int, bursts: Bursts, book: Book, *, each: bool = False) -> Story:
    members = await bursts.members(burst.id, limit)
    rows = await book.read_subs(sorted({sub for member in members for sub in (member.noted.sub, member.address) if sub}))
    names = await book.names(sorted(rows))

    def named(member: Member, *, contact: bool) -> str | None:
        sub = member.noted.sub
        near = [sub, member.address, *sorted(rows[sub].state.links)] if sub in rows else []
        return next((names[one] for one in near if one in names and (rows[one].kind == CONTACT) == contact), None)

    marks = tuple(_mark(member, named(member, contact=True), named(member, contact=False)) for member in members)
    return Story(
        burst,
        networks=_counted(marks, lambda mark: network_of(mark.ip)),
        hosts=_counted(marks, lambda mark: host_of(mark.address) if "@" in (mark.address or "") else ""),
        agents=_counted(marks, lambda mark: mark.user_agent or ""),
        marks=marks if each else (),
    )


def _mark(member: Member, contact_id: str | None, address: str | None) -> Mark:
    fields, said = member.noted.fields, member.noted.detail or {}
    return Mark(
        member.noted.id, fields["ts"], member.after, contact_id, address, fields["scope"][2], fields["src"], _text(said.get("ip")),
        _text(said.get("user_agent")),
    )  # fmt: skip


def _text(value: Any) -> str | None:
    return str(value) if value else None


def _counted(marks: Sequence[Mark], word: Callable[[Mark], str]) -> Counted:
    counts = Counter(found for mark in marks if (found := word(mark)))
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST])
