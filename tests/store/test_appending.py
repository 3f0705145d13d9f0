"""Few rows are kept in one statement, many by COPY: nobody can tell afterwards which it was."""

import asyncio
from typing import Any

import asyncpg
import pytest

from hub import Hub, api
from sayso.contracts.book import Key, Written
from sayso.flows.record import Said, act_of
from sayso.rules import leaves
from sayso.rules.merkle import leaf_hash
from sayso.rules.statements import Choose
from sayso.rules.words import Scope
from sayso.store.appending import MANY
from sayso.store.queries import QUERIES

PROMO = Scope("*", "email", "promotional")
EVENTS = Scope("*", "email", "events")


def contact(n: int) -> Key:
    return Key("contact", f"c-{n}", f"c-{n}")


async def say(hub: Hub, people: range, scope: Scope) -> list[Written]:
    said = [Said(api(), (Choose(scope, out=True),), contact=contact(n), personal={"reason": f"no {n}"}) for n in people]
    kept = await hub.book.write_all([act_of(one, hub.ground) for one in said])
    return [one for one in kept if isinstance(one, Written)]


async def everything(hub: Hub, n: int) -> list[dict[str, Any]]:
    """All rows of one person, without what differs between two people and two moments."""
    page = await hub.book.read([contact(n)])
    sub = bytes.fromhex(page.keys[contact(n)])
    tables = {
        "subject": "SELECT kind, version, length, length(head) AS head, length(sealed) AS name FROM subject WHERE pseudonym = $1",
        "key": "SELECT length(wrapped) AS wrapped FROM subject_key WHERE pseudonym = $1",
        "entry": "SELECT ver, kind, act, brand, channel, category, src, effect FROM entry WHERE sub = $1 ORDER BY ver",
        "detail": "SELECT length(d.sealed) AS sealed FROM detail d JOIN entry e ON e.shard = d.shard AND e.id = d.entry WHERE e.sub = $1",
        "queue": "SELECT q.at = e.at AS same FROM to_sequence q JOIN entry e ON e.shard = q.shard AND e.id = q.id WHERE e.sub = $1",
    }
    return [dict(row, table=table) for table, query in tables.items() for row in await hub.pool.fetch(query, sub)]


@pytest.mark.feature("B5", "G4")
async def test_many_rows_and_few_are_kept_alike(hub: Hub) -> None:
    many, few = range(100, 100 + 2 * MANY), range(300, 303)
    for scope in (PROMO, EVENTS):
        assert len(await say(hub, many, scope)) == len(many)
        assert len(await say(hub, few, scope)) == len(few)
    assert await everything(hub, 100) == await everything(hub, 300)
    noted = await hub.book.entries([(await hub.book.read([contact(100)])).keys[contact(100)]])
    assert [one.detail for one in noted] == [{"reason": "no 100"}] * 2
    for row in await hub.pool.fetch("SELECT leaf, ver, head FROM entry JOIN subject s ON s.pseudonym = sub AND s.shard = entry.shard"):
        assert leaves.parse(row["leaf"])["ver"] == row["ver"]
        assert row["ver"] == 1 or leaf_hash(row["leaf"]) == row["head"]


async def test_many_new_people_at_the_same_time_are_each_made_once(hub: Hub) -> None:
    kept = await asyncio.gather(*(say(hub, range(100), PROMO) for _ in range(3)))
    assert [len(one) for one in kept] == [100] * 3
    assert await hub.pool.fetchval("SELECT count(*) FROM subject WHERE kind = 'contact'") == 100
    assert await hub.pool.fetchval("SELECT count(*) FROM entry") == 300


async def test_a_write_has_its_number_before_it_looks_for_systems(database: str) -> None:
    """A backfill waits for transactions with a number: one that locks nobody must have one too, or somebody new could be missed."""
    connection = await asyncpg.connect(database)
    try:
        async with connection.transaction():
            assert await connection.fetch(QUERIES["lock_subjects"], [b"nobody"]) == []
            assert await connection.fetchval("SELECT pg_current_xact_id_if_assigned()::text") is not None
    finally:
        await connection.close()
