"""Checks among PostgreSQL's other work: ready from the first one on, and never waiting longer than they were promised to."""

import asyncio
import os

import pytest

from hub import PEPPER, Hub, api
from sayso.contracts.book import Key, Unavailable
from sayso.contracts.gatehouse import Query, Wanted
from sayso.flows.check import Question, check
from sayso.flows.record import Said, record
from sayso.rules.answer import Logged, to_log
from sayso.rules.catalogue import DEFAULT
from sayso.rules.gate import Ask, Reason, Verdict
from sayso.rules.statements import Choose
from sayso.rules.words import Scope
from sayso.store.gatehouse import PostgresGatehouse
from sayso.store.pool import open_pool
from sayso.store.turns import AT_ONCE

ASKED = Question(Ask("email", DEFAULT.get("promotional")), Key("contact", "c-1", "c-1"), None)


async def test_a_warm_gatehouse_has_connected_and_has_logged_nothing(hub: Hub, database: str) -> None:
    pool = await open_pool(database, size=4)
    gatehouse = PostgresGatehouse(pool, PEPPER, os.urandom)
    assert pool.get_size() == 0
    await gatehouse.warm()
    assert pool.get_size() == AT_ONCE
    assert await hub.pool.fetchval("SELECT count(*) FROM verdict_batch") == 0
    [(found, _)] = await check([ASKED], gatehouse=gatehouse, ground=hub.ground)
    assert found is not None
    assert pool.get_size() == AT_ONCE
    await gatehouse.close()
    await pool.close()


async def test_getting_ready_in_vain_spoils_no_connection(hub: Hub, database: str) -> None:
    pool = await open_pool(database, size=AT_ONCE)
    gatehouse = PostgresGatehouse(pool, PEPPER, os.urandom)
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, said: complaints.append(said))
    await hub.pool.execute("ALTER TABLE verdict_batch RENAME TO elsewhere")
    with pytest.raises(Unavailable):
        await gatehouse.warm()
    await hub.pool.execute("ALTER TABLE elsewhere RENAME TO verdict_batch")
    for _ in range(2 * AT_ONCE):
        [(found, _)] = await check([ASKED], gatehouse=gatehouse, ground=hub.ground)
        assert found is not None
    await gatehouse.close()
    await pool.close()
    assert complaints == []


@pytest.mark.feature("R1")
async def test_whoever_waited_for_other_things_waits_only_for_the_rest(hub: Hub) -> None:
    gatehouse = PostgresGatehouse(hub.pool, PEPPER, os.urandom, patience=600.0)
    async with hub.pool.acquire() as other, other.transaction():
        await other.execute("LOCK TABLE verdict_batch IN ACCESS EXCLUSIVE MODE")  # a store that does not answer
        async with asyncio.timeout(30):
            [(found, logged)] = await check([ASKED], gatehouse=gatehouse, ground=hub.ground, waited=599.0)
        assert found is None
        assert [reason.code for reason in logged.verdict.reasons] == ["unknown_state"]
        await gatehouse.close()


@pytest.mark.parametrize("asked_at_once", [1, 3])
@pytest.mark.feature("R1")
async def test_every_verdict_is_kept_as_it_was_given(hub: Hub, asked_at_once: int) -> None:
    """Whatever names senders give, and however many reasons there are: none, one, several."""
    await record(
        Said(api(), (Choose(Scope("*", "email", "promotional"), out=True),), contact=Key("contact", "c-1")),
        book=hub.book,
        ground=hub.ground,
    )
    odd = "spring\n26, “é” \\n\t\u2028'; --"
    reasons = [(), (Reason("not_set"),), (Reason("blacklisted"), Reason("paused", until=9))]

    def judged(n: int) -> Query:
        verdict = Verdict(n == 1, reasons[n], "DE", 3)
        logged = Logged(verdict, "email", "promotional", 1_700_000_000_000_000, campaign=odd, sender=odd)
        return Query(Wanted(Key("contact", f"c-{n}", f"c-{n}"), None), lambda found, now: logged)

    gatehouse = PostgresGatehouse(hub.pool, PEPPER, os.urandom)
    given = await gatehouse.ask([judged(n) for n in range(asked_at_once)])
    for n, (check_id, logged) in enumerate(given):
        kept = await hub.pool.fetchrow("SELECT shard, sub, allowed, codes, body FROM verdict WHERE id = $1", check_id)
        assert await gatehouse.logged(check_id) == logged
        assert (kept["allowed"], kept["codes"]) == (logged.verdict.allowed, [reason.code for reason in logged.verdict.reasons])
        assert kept["body"] == to_log(logged)
        assert (kept["sub"] is not None) == (n == 1), "only the one whom the hub knows has a pseudonym"
        assert kept["shard"] == check_id.bytes[-1]
    await gatehouse.close()
