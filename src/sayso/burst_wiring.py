"""Wires the watch for bursts: its door's part, its number for machines that watch, and what a worker does for it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog

from sayso.flows.alert_bursts import alert_bursts
from sayso.flows.ask_meant import ask_meant
from sayso.flows.watch_bursts import KEPT, watch_bursts
from sayso.opening import Parts, microseconds
from sayso.store.bursts import PostgresBursts
from sayso.store.feed import PostgresFeed
from sayso.store.letters import PostgresLetters
from sayso.web.api.bursts import BurstParts
from sayso.web.health import Count

log = structlog.get_logger("sayso.bursts")

WATCH_EVERY: Final = 1.0
ALERT_EVERY: Final = 5.0
FORGET_EVERY: Final = 300.0


def bursts_of(parts: Parts) -> PostgresBursts:
    """Where bursts are kept."""
    return PostgresBursts(parts.pool, parts.tools)


def burst_parts_of(parts: Parts) -> BurstParts:
    """The part of the doors of bursts."""
    return BurstParts(bursts_of(parts))


def suspected_of(parts: Parts) -> Count:
    """How many opt-outs are marked, for machines that watch."""
    bursts = bursts_of(parts)

    async def read() -> Mapping[str, int]:
        return {"": await bursts.suspected()}

    return Count("sayso_suspected_optouts", "Opt-outs that look like a machine's; all of them are honoured.", read)


def burst_duties_of(parts: Parts) -> tuple[tuple[str, Callable[[], Awaitable[float]]], ...]:
    """What a worker does for bursts."""
    bursts, letters = bursts_of(parts), PostgresLetters(parts.pool, parts.tools)

    def size_of(log: int) -> Awaitable[int]:
        return PostgresFeed(parts.pool, parts.tools.vault, log).size()

    async def watch() -> float:
        ground = await parts.current.ground()
        more = await watch_bursts(size_of=size_of, newest=parts.log.log, book=parts.book, bursts=bursts, ground=ground)
        return 0.0 if more else WATCH_EVERY

    async def ask() -> float:
        more = await ask_meant(bursts=bursts, letters=letters, book=parts.book, ground=await parts.current.ground())
        return 0.0 if more else WATCH_EVERY

    async def alert() -> float:
        if found := await alert_bursts(bursts=bursts, book=parts.book, ground=await parts.current.ground()):
            log.warning("opt-outs look like a machine's", bursts=found, fix="sayso bursts list")
        return ALERT_EVERY

    async def forget() -> float:
        await bursts.forget(microseconds() - KEPT)
        return FORGET_EVERY

    return ("watch bursts", watch), ("ask whether it was meant", ask), ("alert of bursts", alert), ("forget signs", forget)
