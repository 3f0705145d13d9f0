"""Refresh: brings the decision snapshot up to a census: whole where there is none that fits, else by what changed since."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sayso.contracts.audience import Census, Draft, Engine, Known, Line, Stand
from sayso.contracts.book import Key
from sayso.contracts.gatehouse import Found
from sayso.contracts.ground import Ground
from sayso.flows.check import Question, people_of
from sayso.rules.audience import Profile, Recipe, Seen, channels_of, nobody, reach_of, recipe_of, shadows, stranger, united
from sayso.rules.gate import Ask
from sayso.rules.subjects import ADDRESS_KIND, CONTACT, Address
from sayso.rules.words import CHANNELS

OVERLAY: Final = 20_000
"""Subjects that may have changed before a new snapshot is written; fewer are laid over the kept one."""
SOMEBODY: Final = Key(CONTACT, "")
"""Says to a question that it names a contact; which one, the rows say."""
SHARE: Final = 3
"""More than one changed entry for this many subjects, and reading everybody is quicker than reading who changed."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """A snapshot, and the lines to lay over it, that together say how everybody stands at a census. `rebuilt`: everybody was read."""

    stand: Stand
    changed: tuple[Line, ...]
    rebuilt: bool


async def refresh(*, census: Census, engine: Engine, ground: Ground) -> Fresh:
    """The snapshot as of this census. Raises Unavailable, and OSError where the data folder cannot be written."""
    recipe = recipe_of(ground.catalogue, ground.window)
    stand = await asyncio.to_thread(engine.stand)
    if stand is None or not await _is_of(stand, recipe, census):
        return await _rebuilt(recipe, census, engine)
    if (census.revision.log_size - stand.revision.log_size) * SHARE > max(stand.subjects, OVERLAY):
        return await _rebuilt(recipe, census, engine)
    changed: list[Line] = []
    seen: Seen = {}
    draft: Draft | None = None
    try:
        async for members, everybody in census.changed(stand.revision.log_size):
            changed += await asyncio.to_thread(_lines, members, everybody, recipe, census.revision.at, seen)
            if draft is None and len(changed) > OVERLAY:
                draft = await asyncio.to_thread(engine.draft, _fixed(recipe), stand)
            if draft is not None:
                await asyncio.to_thread(draft.add, changed)
                changed = []
        if draft is not None:
            stand = await asyncio.to_thread(draft.keep, recipe.key(), census.revision)
    finally:
        if draft is not None:
            await asyncio.to_thread(draft.close)
    return Fresh(stand, tuple(changed), rebuilt=False)


async def limited(back: int, *, census: Census, ground: Ground) -> list[Line]:
    """Lines that send the gate everybody to whom something was sent or promised in the last `back` microseconds: caps may hold them."""
    recipe, since = recipe_of(ground.catalogue, ground.window), census.revision.at - back
    lines: list[Line] = []
    seen: Seen = {}
    async for members, everybody in census.spenders(since):
        told = await asyncio.to_thread(_lines, members, everybody, recipe, census.revision.at, seen)
        lines += [line._replace(profile=()) for line in told]
    return lines + [Line(one, b"", 0, (), shadow=False) for one in await census.unseen_spenders(since)]


async def _is_of(stand: Stand, recipe: Recipe, census: Census) -> bool:
    """Whether a snapshot says what profiles say today, and was made of this very log: one put back from a backup has another past."""
    size = stand.revision.log_size
    if stand.recipe != recipe.key() or stand.revision.log != census.revision.log or size > census.revision.log_size:
        return False
    return size == 0 or await census.entry_at(size - 1) == stand.revision.head


async def _rebuilt(recipe: Recipe, census: Census, engine: Engine) -> Fresh:
    draft = await asyncio.to_thread(engine.draft, _fixed(recipe), None)
    seen: Seen = {}
    try:
        async for members, everybody in census.everybody():
            lines = await asyncio.to_thread(_lines, members, everybody, recipe, census.revision.at, seen)
            await asyncio.to_thread(draft.add, lines)
        return Fresh(await asyncio.to_thread(draft.keep, recipe.key(), census.revision), (), rebuilt=True)
    finally:
        await asyncio.to_thread(draft.close)


def _fixed(recipe: Recipe) -> tuple[Profile, Profile, Profile]:
    return nobody(recipe), stranger(recipe), ()


def _lines(members: Sequence[Known], everybody: Mapping[str, Known], recipe: Recipe, now: int, seen: Seen) -> list[Line]:
    rows = {sub: known.row for sub, known in everybody.items()}
    return [_line(known, everybody, Found(None, None, (), rows), recipe, now, seen) for known in members]


def _line(known: Known, everybody: Mapping[str, Known], found: Found, recipe: Recipe, now: int, seen: Seen) -> Line:
    """What the snapshot says about one subject: the gate's answers to every question that names it alone."""
    row = known.row
    if row.kind == CONTACT:
        alone = Found(row, None, (), found.linked)
        asked = _asked(frozenset([link.kind for link in row.state.links.values()]))
        profile = united([reach_of(named, people_of(question, alone)[0], recipe, now, seen) for named, question in asked])
        return Line(known.id, b"", 0, profile, shadow=False)
    channels = channels_of(row.kind)
    people_there = people_of(_at(row.kind), Found(None, row, (), found.linked))
    owners = [everybody[sub].id for sub, link in row.state.links.items() if link.kind == CONTACT and sub in everybody]
    profile = united([reach_of(channels, person, recipe, now, seen) for person in people_there])
    return Line(known.id, owners[0] if len(owners) == 1 else b"", len(owners), profile, shadows(row.state))


@lru_cache(maxsize=64)
def _asked(kinds: frozenset[str]) -> tuple[tuple[tuple[str], Question], ...]:
    """The questions about a contact with addresses of these kinds that names nothing else: each channel reached, and one that is not ("")."""
    reached = [channel for channel in CHANNELS if ADDRESS_KIND[channel] in kinds]
    elsewhere = [channel for channel in CHANNELS if channel not in reached][:1]
    named = [(channel, (channel,)) for channel in reached] + [(channel, ("",)) for channel in elsewhere]
    return tuple((name, Question(Ask(channel, None), SOMEBODY, None)) for channel, name in named)


@lru_cache(maxsize=16)
def _at(kind: str) -> Question:
    """The question about an address of this kind that names nothing else."""
    return Question(Ask(channels_of(kind)[0], None), None, Address(kind, "", ""))
