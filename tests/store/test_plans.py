"""Looks that are taken many times a second read what they look for, however much else there is."""

import json
from typing import Any
from uuid import uuid4

import pytest

from hub import Hub
from sayso.store.queries import QUERIES

MANY = 20_000
HOUR = 3_600_000_000


async def read(hub: Hub, name: str, *values: Any) -> int:
    """How many rows a statement looked at, those it threw away counted, in all of its parts."""
    plan = json.loads(await hub.pool.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {QUERIES[name]}", *values))

    def rows(node: dict[str, Any]) -> int:
        own = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) if "Scan" in node["Node Type"] else 0
        return int(own * node["Actual Loops"]) + sum(rows(part) for part in node.get("Plans", []))

    return rows(plan[0]["Plan"])


@pytest.mark.feature("R1")
async def test_whether_somebody_asks_is_seen_without_going_through_all_that_were_asked(hub: Hub) -> None:
    await hub.pool.execute(
        "INSERT INTO verdict_batch (id, at, count, hash) SELECT gen_random_uuid(), n, 1, '' FROM generate_series(1, $1) AS n", MANY
    )
    await hub.pool.execute("ANALYZE verdict_batch")
    assert await read(hub, "asked_lately") < 10
    assert not await hub.pool.fetchval(QUERIES["asked_lately"])
    await hub.pool.execute(
        "INSERT INTO verdict_batch (id, at, count, hash) VALUES (gen_random_uuid(), (extract(epoch FROM now()) * 1000000)::bigint, 1, '')"
    )
    assert await hub.pool.fetchval(QUERIES["asked_lately"])


async def test_what_is_due_is_found_without_going_through_all_that_waits(hub: Hub) -> None:
    """A system that was down for an hour must not make each look for work as long as its backlog."""
    connection = uuid4()
    plan = """INSERT INTO work (shard, connection, sub, wanted_at, due_at)
        SELECT n % 256, $1, decode(lpad(to_hex(n), 32, '0'), 'hex'), 0, (extract(epoch FROM now()) * 1000000)::bigint + $3
        FROM generate_series($2::int, $4::int) AS n"""
    await hub.pool.execute(plan, connection, 1, HOUR, MANY)
    await hub.pool.execute(plan, connection, MANY + 1, -HOUR, MANY + 3)
    await hub.pool.execute("ANALYZE work")
    assert len(await hub.pool.fetch(QUERIES["due_work"], connection, 64)) == 3
    assert await read(hub, "due_work", connection, 64) < 10


async def test_statistics_of_large_tables_are_taken_no_oftener_than_after_a_tenth_of_their_rows(hub: Hub) -> None:
    """Taking them reads tens of thousands of pages, beside checks that want the same processors."""
    everywhere = await hub.pool.fetchval("SHOW autovacuum_analyze_scale_factor")
    for table, options in await hub.pool.fetch("SELECT relname, reloptions FROM pg_class WHERE relkind IN ('r', 'p')"):
        own = dict(option.split("=") for option in options or [])
        assert float(own.get("autovacuum_analyze_scale_factor", everywhere)) >= 0.1, table
