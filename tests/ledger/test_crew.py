"""Verifying with several processes: they find what one finds, and name the same first bad entry."""

import asyncio
from pathlib import Path

import pytest
from ledger_writer import ORIGIN, Ledger, opened_ledger

from database import IMPATIENT
from sayso import keys
from sayso.contracts.book import Unavailable
from sayso.contracts.verified import Verified
from sayso.flows.verify import verify
from sayso.verifying import crew

pytestmark = pytest.mark.feature("S9", "Q3")


async def together(ledger: Ledger, dsn: str, folder: Path) -> Verified:
    async with ledger.log.audit() as audit:
        chains = await crew(audit, dsn, folder, processes=2)
        assert chains is not None
        return await verify(audit=audit, anchor=ledger.anchor, key=ledger.key, chains=chains)


async def test_several_processes_find_what_one_finds(module_database: str, tmp_path: Path) -> None:
    keys.load(tmp_path, ledger_host=ORIGIN.partition("/")[0])
    async with opened_ledger(module_database, tmp_path) as ledger:
        await ledger.write(120, people=30)
        await ledger.sequence()
        await ledger.write(5)
        sound = await together(ledger, module_database, tmp_path)
        assert sound.problems == []
        assert (sound.entries, sound.chains, sound.unsequenced, sound.size) == (125, 30, 5, 120)

        await ledger.pool.execute("UPDATE entry SET src = 'api' WHERE id = $1", ledger.written[70])
        await ledger.pool.execute("UPDATE entry SET leaf = set_byte(leaf, 30, get_byte(leaf, 30) # 1) WHERE id = $1", ledger.written[40])
        alone, found = await ledger.verify(), await together(ledger, module_database, tmp_path)
        assert found.first_bad == alone.first_bad
        assert found.first_bad is not None
        assert found.first_bad.entry == ledger.written[40]
        assert sorted(map(str, found.problems)) == sorted(map(str, alone.problems))
        assert found.problem_count == alone.problem_count


async def test_processes_that_cannot_reach_the_store_prove_nothing(module_database: str, tmp_path: Path) -> None:
    keys.load(tmp_path, ledger_host=ORIGIN.partition("/")[0])
    async with opened_ledger(module_database, tmp_path) as ledger:
        await ledger.write(3)
        with pytest.raises(Unavailable):
            await together(ledger, "postgresql://nobody@127.0.0.1:1/none", tmp_path)


async def test_an_audit_waits_for_a_crew_as_long_as_it_takes(database: str, tmp_path: Path) -> None:
    """Servers end transactions that stand idle; that of an audit does, while others read for it."""
    async with opened_ledger(database, tmp_path) as ledger:
        await ledger.pool.execute(IMPATIENT)
    async with opened_ledger(database, tmp_path) as ledger, ledger.log.audit() as audit:
        await asyncio.sleep(1)
        await audit.counts()


async def test_a_short_ledger_needs_no_other_processes(module_database: str, tmp_path: Path) -> None:
    async with opened_ledger(module_database, tmp_path) as ledger, ledger.log.audit() as audit:
        assert await crew(audit, module_database, tmp_path) is None
