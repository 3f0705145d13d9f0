"""Survey: reads everybody, or some shards of them, into a decision snapshot."""

import asyncio

from sayso.contracts.audience import Census, Count, Draft
from sayso.contracts.ledger import ALL_SHARDS
from sayso.flows.profile import profile
from sayso.rules.audience import Recipe, Seen


async def survey(*, census: Census, recipe: Recipe, draft: Draft, shards: range = ALL_SHARDS, tell: Count = lambda _read: None) -> None:
    """Puts everybody of these shards into the draft. Raises Unavailable, and OSError where it cannot be written."""
    seen: Seen = {}
    done = 0
    async for members, everybody in census.everybody(shards):
        lines = await asyncio.to_thread(profile, members, everybody, recipe, census.revision.at, seen)
        await asyncio.to_thread(draft.add, lines)
        done += len(lines)
        tell(done)
