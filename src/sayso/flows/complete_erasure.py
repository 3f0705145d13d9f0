"""Complete an erasure: looks whether every system knows, and then leaves nothing of the person but what denies them."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from sayso.contracts.book import Book, Key
from sayso.contracts.feed import Feed
from sayso.contracts.ground import Ground
from sayso.contracts.privacy import Completion, Erasure, Erasures, Informed, Locked
from sayso.contracts.spokes import Connection, Spokes, Told
from sayso.flows.emit import ERASED, hears_of
from sayso.flows.erase import mark
from sayso.flows.note_config import note_config
from sayso.flows.open_link import key_named
from sayso.rules.erasure import Waits, end_of, is_erasing, is_orphan, kept_of, may_end, members, relinked
from sayso.rules.state import is_tombstone
from sayso.rules.statements import Row, Voice
from sayso.rules.subjects import CONTACT, Address, aliases
from sayso.rules.times import MINUTE, SECOND

LOOK_AGAIN: Final = SECOND
"""How soon an erasure whose systems are slow is looked at again; later the longer it waits, at most a minute."""
HUB_VOICE: Final = Voice("manual", own=False, actor="hub", via="worker")
"""Who denies an address that was tied to somebody after their erasure had been accepted."""


async def complete_erasure(erasure: Erasure, *, erasures: Erasures, spokes: Spokes, feed: Feed, book: Book, ground: Ground) -> bool:
    """Whether the erasure is completed now; else it is looked at again later. Raises Unavailable.

    Whoever was tied to the person since the acceptance is denied and told of first, so nothing is forgotten that a system does not know.
    """
    if not erasure.start:  # an older database was put back, and whom it was about is not in it
        return await erasures.complete(erasure, (), lambda _: Completion(()), ())
    marked = await mark(erasure.start, voice=HUB_VOICE, personal={}, book=book, ground=ground)
    if marked.entries:
        erasure = await erasures.note(erasure, marked.entries)
    people = [row for row in marked.people if not is_tombstone(row.state)]
    systems = await informed(erasure, [row.sub for row in people], erasures=erasures, spokes=spokes, feed=feed)
    waiting = sum(one.state != "acknowledged" for one in systems)
    if may_end(Waits(waiting, erasure.accepted_at), ground.clock()):
        subs = await _everybody(people, book, ground)
        over = may_end(Waits(1, erasure.accepted_at), ground.clock())
        if await erasures.complete(erasure, subs, partial(_judged, erasure.start, frozenset(subs), over), systems):
            await note_config("erasure_completed", {"erasure": str(erasure.id)}, "worker", book=book, ground=ground)
            return True
    waited = ground.clock() - erasure.accepted_at
    await erasures.later(erasure, ground.clock() + min(MINUTE, max(LOOK_AGAIN, waited // 10)))
    return False


async def informed(erasure: Erasure, subs: Sequence[str], *, erasures: Erasures, spokes: Spokes, feed: Feed) -> tuple[Informed, ...]:
    """How far each connection that was to be told anything of these people is; as it was on completion, once it is completed."""
    if erasure.state == "completed":
        return erasure.systems
    told: dict[object, list[Told]] = {}
    for one in await spokes.told(subs):
        told.setdefault(one.connection, []).append(one)
    last = await erasures.last_place(erasure.entries) if erasure.entries else None
    found = []
    for connection in await spokes.connections():
        about = told.get(connection.id, [])
        listens = hears_of(connection, ERASED)
        heard = not listens or (last is not None and (await feed.place(connection.id)).seq > last)
        if about or listens:
            found.append(_informed(connection, about, heard=heard))
    return tuple(found)


def _informed(connection: Connection, about: Sequence[Told], *, heard: bool) -> Informed:
    left = [one for one in about if one.acknowledged < one.wanted]
    at = max((one.acknowledged_at for one in about if one.acknowledged_at), default=None)
    if not left and heard:
        return Informed(connection.id, connection.connector, connection.name, "acknowledged", at)
    stuck = heard and all(one.parked for one in left)
    return Informed(connection.id, connection.connector, connection.name, "cannot_be_told" if stuck else "waiting", at)


async def _everybody(people: Sequence[Row], book: Book, ground: Ground) -> list[str]:
    """The people, other spellings of their addresses, and whoever shares one: all that completing locks."""
    names = await book.names([row.sub for row in people])
    keys = [key_named(row.kind, names[row.sub], ground.default_country) for row in people if row.sub in names and row.kind != CONTACT]
    spelled = await book.read(
        [Key(one.kind, one.value) for key in keys if key for one in aliases(Address(key.kind, key.value, key.given))[1:]]
    )
    subs = {row.sub for row in people} | set(spelled.keys.values())
    return sorted(subs | {sub for row in people for sub in row.state.links})


def _judged(start: str, asked: frozenset[str], over: bool, locked: Locked) -> Completion | None:
    """What completing writes, or None where something moved since it was looked at. `over`: nobody is waited for any more."""
    if start not in locked.rows:
        return None
    people = [row for row in members(locked.rows[start], locked.rows) if not is_tombstone(row.state)]
    if any(not is_erasing(row.state) for row in people) or any(row.state.links.keys() - asked for row in people):
        return None
    if not over and any(locked.open.get(row.sub) for row in people):
        return None
    ids = frozenset(row.sub for row in people)
    tied = {sub for row in people for sub in row.state.links}
    orphans = [
        row
        for row in locked.rows.values()
        if row.sub not in ids | tied and row.kind != CONTACT and is_orphan(row, ids) and not is_tombstone(row.state)
    ]
    return forgotten([*people, *orphans], locked)


def forget_again(locked: Locked) -> Completion:
    """What erasing once more writes, when an older database brought people back: nobody is asked or told a second time."""
    return forgotten(list(locked.rows.values()), locked)


def forgotten(gone: Sequence[Row], locked: Locked) -> Completion:
    """The entries and rows of subjects that are forgotten, and of those who share an address with them and stay."""
    fresh = {row.sub: locked.new_sub(row.sub) for row in gone}
    now = locked.now
    erased = []
    for row in gone:
        links = _links(row, locked.rows, fresh)
        last = end_of(row, entry=locked.new_id(row.sub), now=now)
        owners = [other.state for other in gone if other.kind == CONTACT and row.sub in other.state.links]
        first, after = kept_of(row, fresh[row.sub], entry=locked.new_id(row.sub), now=max(now, last.at) + 1, owners=owners, links=links)
        erased.append((row.sub, last, first, after))
    stayed = []
    for other in (row for row in locked.rows.values() if row.sub not in fresh):
        entries = []
        after = other
        for old in sorted(other.state.links.keys() & fresh.keys()):
            tied, after = relinked(after, old, fresh[old], entry=locked.new_id(other.sub), now=now)
            entries.append(tied)
        if entries:
            stayed.append((tuple(entries), after))
    return Completion(tuple(erased), tuple(stayed))


def _links(row: Row, rows: Mapping[str, Row], fresh: Mapping[str, str]) -> list[tuple[str, str, int]]:
    """Ties of an erased address to people who stay."""
    return [(sub, link.kind, link.primary) for sub, link in row.state.links.items() if sub not in fresh and sub in rows]
