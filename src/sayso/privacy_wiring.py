"""Wires people's rights: the parts of their doors, what a worker does for them, and the forgetting that follows a restored backup."""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from sayso.contracts.book import Unavailable
from sayso.flows.complete_erasure import complete_erasure
from sayso.flows.export_person import Archive
from sayso.flows.note_config import note_config
from sayso.keys import KekRing, destroy_old, exchange
from sayso.opening import Parts, erasures_of, microseconds
from sayso.rules.times import DAY, MINUTE
from sayso.store.feed import PostgresFeed
from sayso.store.messages import PostgresSent
from sayso.store.rewrap import rewrap
from sayso.web.privacy import Privacy

log = structlog.get_logger("sayso.privacy")

LOOK_EVERY: Final = 0.5
AT_ONCE: Final = 50
SWEEP_LOOK: Final = 60.0
SWEEP_EVERY: Final = 3_600.0
EXCHANGED_EVERY: Final = 30 * DAY
EXCHANGE_LOOK: Final = 600.0
EXCHANGE_STEP: Final = 60.0
SETTLED_AFTER: Final = MINUTE
"""How long after an exchange the old key stays at least: whoever wrapped a key under it just before has kept it by then."""


def privacy_of(parts: Parts) -> Privacy:
    """What the doors need."""
    archive = Archive(parts.book, parts.desk, PostgresSent(parts.pool, parts.tools), parts.spokes, parts.settings.company)
    return Privacy(erasures_of(parts), parts.spokes, PostgresFeed(parts.pool, parts.tools.vault), archive)


def privacy_duties_of(parts: Parts) -> tuple[tuple[str, Callable[[], Awaitable[float]]], ...]:
    """What a worker does: completes what may be completed, and clears the files of what was deleted."""
    wired = privacy_of(parts)

    async def complete() -> float:
        due = await wired.erasures.due(microseconds(), AT_ONCE)
        for erasure in due:
            try:
                await complete_erasure(
                    erasure, erasures=wired.erasures, spokes=wired.spokes, feed=wired.feed, book=parts.book,
                    ground=await parts.current.ground(),
                )  # fmt: skip
            except Unavailable:
                raise
            except Exception:  # one erasure that fails must not keep the others waiting: it is logged and tried again
                log.exception("an erasure could not be completed", erasure=str(erasure.id))
                await wired.erasures.later(erasure, microseconds() + 60_000_000)
        return 0.0 if len(due) == AT_ONCE else LOOK_EVERY

    async def sweep() -> float:
        return SWEEP_EVERY if await wired.erasures.sweep() else SWEEP_LOOK

    async def renew() -> float:
        return await _exchanged(parts)

    return ("complete erasures", complete), ("sweep after erasures", sweep), ("exchange keys", renew)


async def _exchanged(parts: Parts) -> float:
    """One step of exchanging the key-encryption key, and the pause after it.

    Only where the database is ours too, and so one data folder serves all: hubs on several machines share a database and each have a copy
    of the keys, which nobody but their operator can exchange everywhere (`sayso keys`).
    """
    if parts.settings.database_url is not None:
        return EXCHANGE_LOOK
    data_dir = parts.settings.data_dir
    ring = KekRing(data_dir)
    age = microseconds() - ring.exchanged_at
    if len(ring) == 1:
        if age < EXCHANGED_EVERY:
            return EXCHANGE_LOOK
        exchange(data_dir)
        return 0.0
    done, _ = await rewrap(parts.pool, parts.tools.vault)
    if done == 0 and age > SETTLED_AFTER:
        destroyed = destroy_old(data_dir)
        detail = {"destroyed": destroyed}
        await note_config("keys_exchanged", detail, "worker", book=parts.book, ground=await parts.current.ground())
    return EXCHANGE_STEP
