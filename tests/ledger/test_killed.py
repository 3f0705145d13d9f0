"""A sequencer that is killed at any instant loses nothing, places nothing twice and contradicts no signature."""

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from ledger_writer import Ledger, opened_ledger

from shares import Ran, is_soak, patience, share

KILLS = 50 if is_soak() else 6
AT_ONCE = 5_000
PROGRAM = Path(__file__).with_name("ledger_process.py")


@pytest.fixture
async def ledger(module_database: str, tmp_path: Path) -> AsyncIterator[Ledger]:
    async with opened_ledger(module_database, tmp_path) as opened:
        yield opened


async def has_grown(ledger: Ledger, size: int) -> None:
    """Returns as soon as the log has more places than that."""
    while (await ledger.pool.fetchval("SELECT count(*) FROM log_entry")) <= size:
        await asyncio.sleep(0.005)


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.timeout(patience(180))
@pytest.mark.feature("S9", "Q3")
async def test_a_sequencer_killed_again_and_again_still_gives_every_entry_one_place(
    ledger: Ledger, module_database: str, tmp_path: Path, ran: Ran
) -> None:
    chance, each = random.Random(9), max(400, share("G4 entries") // KILLS)
    paths = os.pathsep.join([str(PROGRAM.parent), str(PROGRAM.parents[1])])
    for _ in range(KILLS):
        for start in range(0, each, AT_ONCE):
            await ledger.write(min(AT_ONCE, each - start))
        size = await ledger.pool.fetchval("SELECT count(*) FROM log_entry")
        running = await asyncio.create_subprocess_exec(
            sys.executable, str(PROGRAM), module_database, str(tmp_path), env={**os.environ, "PYTHONPATH": paths}
        )
        try:
            await asyncio.wait_for(has_grown(ledger, size + chance.randrange(200)), 60)
        finally:
            running.kill()
            await running.wait()
        assert (await ledger.verify()).problems == []
    while (done := await ledger.sequence()).more or done.signed is None:
        pass
    order = [row["entry"] for row in await ledger.pool.fetch("SELECT entry FROM log_entry ORDER BY seq")]
    assert order == ledger.written
    found = await ledger.verify()
    assert (found.problems, found.signed, found.unsequenced) == ([], KILLS * each, 0)
    ran("G4 entries", KILLS * each)
