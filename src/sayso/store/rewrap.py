"""Wraps every data key anew under the newest key-encryption key, so that the old one can be destroyed.

Deleted keys stay in the write-ahead log, in old backups and in the free space of files: still wrapped. Once what wrapped them is gone,
nobody can open them. May run beside everything else and may be broken off: the next pass goes on.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import asyncpg

from sayso.store.center import PLACE as DRAFT_PLACE
from sayso.store.pool import borrowed
from sayso.store.queries import QUERIES
from sayso.store.rows import bound
from sayso.store.vault import Sealed, Vault

BATCH: Final = 1_000


async def rewrap(pool: "asyncpg.Pool[asyncpg.Record]", vault: Vault) -> tuple[int, int]:
    """How many keys were wrapped anew, and how many could not be opened with any key of the ring and were left as they are."""
    done = lost = 0
    async for records in _data_keys(pool):
        one, other = await _renew(pool, vault, "rewrap_data_key", records, lambda r: bound("subject_key", r["pseudonym"]))
        done, lost = done + one, lost + other
    for read, write, place in _SMALL:
        async with borrowed(pool) as connection:
            records = await connection.fetch(QUERIES[read])
        one, other = await _renew(pool, vault, write, records, place)
        done, lost = done + one, lost + other
    return done, lost


_SMALL: Final[tuple[tuple[str, str, Callable[[Any], bytes]], ...]] = (
    ("wrapped_daily_keys", "rewrap_daily_key", lambda r: bound("daily_key", r["day"].isoformat())),
    ("wrapped_settings", "rewrap_settings", lambda r: bound("connection", r["id"].bytes)),
    ("wrapped_drafts", "rewrap_draft", lambda _: DRAFT_PLACE),
)


async def _data_keys(pool: "asyncpg.Pool[asyncpg.Record]") -> AsyncIterator[list[Any]]:
    for shard in range(256):
        last = b""
        while True:
            async with borrowed(pool) as connection:
                records = await connection.fetch(QUERIES["wrapped_data_keys"], shard, last, BATCH)
            if not records:
                break
            yield records
            last = records[-1]["pseudonym"]


async def _renew(
    pool: "asyncpg.Pool[asyncpg.Record]", vault: Vault, write: str, records: list[Any], place: Callable[[Any], bytes]
) -> tuple[int, int]:
    """Wraps these records anew, each only if nobody changed it meanwhile."""
    changes, lost = [], 0
    for record in records:
        *where, wrapped = record.values()
        if vault.is_current(wrapped):
            continue
        try:
            changes.append((*where, wrapped, vault.wrap(vault.unwrap(wrapped, place(record)), place(record))))
        except Sealed:
            lost += 1
    if changes:
        async with borrowed(pool) as connection:
            await connection.executemany(QUERIES[write], changes)
    return len(changes), lost
