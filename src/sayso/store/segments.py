"""Segments on PostgreSQL: entries of everybody by kind and time."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import asyncpg

from sayso.contracts.book import Noted
from sayso.contracts.segments import Filter
from sayso.rules.happenings import event_column
from sayso.store.pool import borrowed
from sayso.store.queries import QUERIES
from sayso.store.shown import noted
from sayso.store.vault import Vault

_FIRST: Final = UUID(int=0)


class PostgresSegments:
    """Finds entries across all subjects."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", vault: Vault) -> None:
        self._pool, self._vault = pool, vault

    async def find(self, wanted: Filter, after: tuple[int, str], limit: int) -> Sequence[Noted]:
        """The entries in order of (received, id), beginning behind `after`."""
        at, last = after
        async with borrowed(self._pool) as connection:
            records = await connection.fetch(
                QUERIES["segment_entries"], wanted.begin, wanted.end, at, UUID(last) if last else _FIRST, _columns(wanted.event), wanted.choice,
                wanted.channel, wanted.category, wanted.source, wanted.brand, limit,
            )  # fmt: skip
        return [noted(record, record["wrapped"], self._vault) for record in records]


def _columns(event: str | None) -> list[str]:
    """What events of a name are found by; entries of earlier versions carry custom names as they were."""
    return [event, event_column(event)] if event is not None else []
