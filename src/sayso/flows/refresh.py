"""Refresh: brings the decision snapshot up to a census: whole where there is none that fits, else by what changed since."""

import asyncio
from dataclasses import dataclass
from typing import Final

from sayso.contracts.audience import Census, Count, Crew, Draft, Engine, Line, Stand
from sayso.contracts.ground import Ground
from sayso.flows.profile import profile
from sayso.flows.survey import survey
from sayso.rules.audience import Recipe, Seen, fixed, recipe_of

OVERLAY: Final = 20_000
"""Subjects that may have changed before a new snapshot is written; fewer are laid over the kept one."""
SHARE: Final = 3
"""More than one changed entry for this many subjects, and reading everybody is quicker than reading who changed."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """A snapshot, and the lines to lay over it, that together say how everybody stands at a census. `rebuilt`: everybody was read."""

    stand: Stand
    changed: tuple[Line, ...]
    rebuilt: bool


async def refresh(*, census: Census, engine: Engine, ground: Ground, crew: Crew | None = None, tell: Count = lambda _read: None) -> Fresh:
    """The snapshot as of this census. Raises Unavailable, and OSError where the data folder cannot be written.

    Where everybody has to be read, a `crew` does it with several processes, and `tell` hears how far it is.
    """
    recipe = recipe_of(ground.catalogue, ground.window)
    stand = await asyncio.to_thread(engine.stand)
    if stand is None or not await _is_of(stand, recipe, census):
        return await _rebuilt(recipe, census, engine, crew, tell)
    if (census.revision.log_size - stand.revision.log_size) * SHARE > max(stand.subjects, OVERLAY):
        return await _rebuilt(recipe, census, engine, crew, tell)
    changed: list[Line] = []
    seen: Seen = {}
    draft: Draft | None = None
    try:
        async for members, everybody in census.changed(stand.revision.log_size):
            changed += await asyncio.to_thread(profile, members, everybody, recipe, census.revision.at, seen)
            if draft is None and len(changed) > OVERLAY:
                draft = await asyncio.to_thread(engine.draft, fixed(recipe), stand)
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
        told = await asyncio.to_thread(profile, members, everybody, recipe, census.revision.at, seen)
        lines += [line._replace(profile=()) for line in told]
    return lines + [Line(one, b"", 0, (), shadow=False) for one in await census.unseen_spenders(since)]


async def _is_of(stand: Stand, recipe: Recipe, census: Census) -> bool:
    """Whether a snapshot says what profiles say today, and was made of this very log: one put back from a backup has another past."""
    size = stand.revision.log_size
    if stand.recipe != recipe.key() or stand.revision.log != census.revision.log or size > census.revision.log_size:
        return False
    return size == 0 or await census.entry_at(size - 1) == stand.revision.head


async def _rebuilt(recipe: Recipe, census: Census, engine: Engine, crew: Crew | None, tell: Count) -> Fresh:
    pieces = await crew(census, recipe, tell) if crew else ()
    draft = await asyncio.to_thread(engine.draft, fixed(recipe), None)
    try:
        for piece in pieces:
            await asyncio.to_thread(draft.take, piece)
        if not pieces:
            await survey(census=census, recipe=recipe, draft=draft, tell=tell)
        return Fresh(await asyncio.to_thread(draft.keep, recipe.key(), census.revision), (), rebuilt=True)
    finally:
        await asyncio.to_thread(draft.close)
