"""Watch for bursts: reads the ledger as it grows and marks opt-outs that look like a machine's. It changes no choice, and delays none."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

from sayso.contracts.book import Book
from sayso.contracts.bursts import Bursts, Marked, Reached
from sayso.contracts.feed import Fed
from sayso.contracts.ground import Ground
from sayso.rules.bursts import WINDOW, Found, Signal, find, host_of, is_scanner, is_sign, network_of
from sayso.rules.ids import RANDOM_BYTES, uuid7
from sayso.rules.statements import Row
from sayso.rules.subjects import CONTACT
from sayso.rules.times import MINUTE

READ: Final = 2_000
"""Places of the log that one look takes; nearly all of them are something else and cost nothing."""
CUT: Final = 50
"""Places behind these in which the second copy of a statement may lie that one look cuts in two."""
SECOND_LOOK: Final = MINUTE
"""Senders and mail systems report deliveries late: who had none at first is looked at again after so long."""
KEPT: Final = 15 * MINUTE
"""How long an opt-out that is no part of a burst is of use as a sign."""


@dataclass(frozen=True, slots=True)
class _Person:
    """Whoever an entry is about: the contact where there is one, the address that spoke, all their rows, and an e-mail address of theirs."""

    sub: str
    address: str
    subs: tuple[str, ...]
    email: str | None = field(repr=False)


async def watch_bursts(*, size_of: Callable[[int], Awaitable[int]], newest: int, book: Book, bursts: Bursts, ground: Ground) -> bool:
    """Whether more is waiting right now. `size_of` says how long a log is, `newest` is the number of the one that grows.

    What was found is kept together with the place up to which the log was read: a crash repeats, never skips. Raises Unavailable.
    """
    now = ground.clock()
    start = await bursts.cursor()
    size = await size_of(start.log)
    end = replace(start, seq=max(start.seq, min(start.seq + READ, size)))
    if start.seq >= size and start.log < newest:
        end = replace(start, log=start.log + 1, seq=0)
    entries = await bursts.statements(start.log, start.seq, end.seq + CUT) if start.seq < size else ()
    undated = await bursts.undated(now - KEPT, now - SECOND_LOOK)
    signs = [one for one in entries if one.seq < end.seq and is_sign(one.fields)]
    fresh = await _signals(signs, _spoken(entries), book, bursts)
    again = await _dated(undated, book, bursts)
    if end == start and not again:
        return False
    found: tuple[Found, ...] = ()
    if looked := [*fresh, *again]:
        times = [one.at for one in looked]
        known = await bursts.recent(min(times) - WINDOW, max(times) + WINDOW)
        found = find({one.entry: one for one in (*fresh, *known, *again)}.values())
    marked = [_marked(one, now, ground) for one in found]
    kept = await bursts.keep(start, end, fresh, again, marked, now)
    return not kept or end.log > start.log or end.seq < size


def _marked(found: Found, now: int, ground: Ground) -> Marked:
    if found.burst:
        return Marked(UUID(found.burst), False, found.entries)
    return Marked(uuid7(now, ground.chance(RANDOM_BYTES), 0), True, found.entries)


def _spoken(entries: Sequence[Fed]) -> Mapping[str, str]:
    """The addresses (pseudonyms) that statements about contacts were spoken through, by their first entry: they hold its first copy."""
    found: dict[str, str] = {}
    for one in entries:
        twin = str(one.fields.get("x", {}).get("twin", ""))
        if twin and one.about_kind == "email":
            found.setdefault(twin, one.sub)
    return found


async def _signals(signs: Sequence[Fed], spoken: Mapping[str, str], book: Book, bursts: Bursts) -> list[Signal]:
    """New opt-outs as signals."""
    if not signs:
        return []
    people = await _people([(one.sub, spoken.get(one.id, "") if one.about_kind == CONTACT else "") for one in signs], book)
    reached = await bursts.reached([Reached(people[one.sub].subs, one.fields["at"]) for one in signs])
    return [_signal(one, people[one.sub], at, bursts) for one, at in zip(signs, reached, strict=True)]


async def _dated(signals: Sequence[Signal], book: Book, bursts: Bursts) -> list[Signal]:
    """Signals after a second look at when a message reached these people."""
    if not signals:
        return []
    people = await _people([(one.person, one.address) for one in signals], book)
    reached = await bursts.reached([Reached(people[one.person].subs, one.at) for one in signals])
    return [replace(one, after=None if at is None else one.at - at) for one, at in zip(signals, reached, strict=True)]


def _signal(one: Fed, person: _Person, reached: int | None, bursts: Bursts) -> Signal:
    said, at = one.detail or {}, int(one.fields["at"])
    agent = str(said.get("user_agent") or "")
    return Signal(
        entry=one.id, person=person.sub, address=person.address, at=at, network=bursts.veiled("network", network_of(said.get("ip"))),
        host=bursts.veiled("host", host_of(person.email)), agent=bursts.veiled("agent", agent), scanner=is_scanner(agent),
        relayed=one.fields["src"] == "one_click", after=None if reached is None else at - reached,
    )  # fmt: skip


async def _people(who: Sequence[tuple[str, str]], book: Book) -> Mapping[str, _Person]:
    """The people behind pseudonyms and the addresses they spoke through ("" for none); of an erased one nothing but the pseudonym."""
    rows = await book.read_subs(sorted({sub for pair in who for sub in pair if sub}))
    names = await book.names(sorted(rows))
    return {sub: _person(sub, address, rows, names) for sub, address in who}


def _person(sub: str, address: str, rows: Mapping[str, Row], names: Mapping[str, str]) -> _Person:
    row = rows.get(sub)
    if row is None:
        return _Person(sub, address, (sub,), None)
    owner = row if row.kind == CONTACT else next((rows[other] for other in sorted(row.state.links) if _is_contact(other, rows)), row)
    subs = [one for one in dict.fromkeys([sub, address, owner.sub, *sorted(owner.state.links)]) if one]
    spoken = next((names[one] for one in subs if one in names and rows[one].kind == "email"), None)
    return _Person(owner.sub, address or (sub if row.kind != CONTACT else ""), tuple(subs), spoken)


def _is_contact(sub: str, rows: Mapping[str, Row]) -> bool:
    return sub in rows and rows[sub].kind == CONTACT
