"""The log is compared with what was remembered of it outside: shorter, other, unreadable and once found wrong all count as rolled back."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from ledger_writer import MALLORYS, ORIGIN, PRIVATE, Ledger, opened_ledger

from sayso.contracts.ledger import LedgerDamaged, LedgerRolledBack
from sayso.flows.compare import compare
from sayso.rules.notes import Checkpoint, checkpoint_text, sign

pytestmark = pytest.mark.feature("S9")


@pytest.fixture
async def ledger(module_database: str, tmp_path: Path) -> AsyncIterator[Ledger]:
    """300 signed entries and two that wait."""
    async with opened_ledger(module_database, tmp_path) as opened:
        await opened.write(300)
        await opened.sequence()
        await opened.write(2)
        yield opened
        await opened.pool.execute("UPDATE log SET stopped = NULL")


async def compared(ledger: Ledger) -> None:
    await compare(log=ledger.log, anchor=ledger.anchor, key=ledger.key)


def remember(ledger: Ledger, size: int, root: bytes, private: object = PRIVATE) -> None:
    note = sign(checkpoint_text(Checkpoint(ORIGIN, size, root)), ORIGIN, private)  # type: ignore[arg-type] # either key
    (ledger.anchor.folder / "checkpoint").write_text(note)


async def test_a_log_that_grows_on_is_believed_and_one_without_anchor_too(ledger: Ledger) -> None:
    await compared(ledger)
    (ledger.anchor.folder / "checkpoint").rename(ledger.anchor.folder / "older")
    await ledger.sequence()
    (ledger.anchor.folder / "older").rename(ledger.anchor.folder / "checkpoint")
    await compared(ledger)
    (ledger.anchor.folder / "checkpoint").unlink()
    await compared(ledger)


async def test_a_shorter_other_or_unreadable_past_is_refused(ledger: Ledger) -> None:
    remember(ledger, 301, bytes(32))
    with pytest.raises(LedgerRolledBack, match="has 300 entries, but 301 were signed"):
        await compared(ledger)
    remember(ledger, 299, bytes(32))
    with pytest.raises(LedgerRolledBack, match="first 299 entries"):
        await compared(ledger)
    remember(ledger, 300, bytes(32), MALLORYS)
    with pytest.raises(LedgerRolledBack, match="does not verify"):
        await compared(ledger)


async def test_lost_tiles_are_damage(ledger: Ledger) -> None:
    await ledger.pool.execute("DELETE FROM log_tile WHERE level = 0 AND n = 1")
    with pytest.raises(LedgerDamaged):
        await compared(ledger)


async def test_what_any_process_found_stops_all_of_them_and_the_sequencer(ledger: Ledger) -> None:
    await ledger.log.stop("found by another host")
    await ledger.log.stop("found again")
    with pytest.raises(LedgerRolledBack, match="another host"):
        await compared(ledger)
    with pytest.raises(LedgerRolledBack, match="another host"):
        await ledger.sequence()
    assert await ledger.log.size() == 300


async def test_a_closed_log_takes_no_turn_whoever_still_holds_it(ledger: Ledger) -> None:
    await ledger.pool.execute("INSERT INTO log (id, opened_at) VALUES (1, 0)")
    try:
        done = await ledger.sequence()
        assert (done.appended, done.signed, await ledger.log.size()) == (0, None, 300)
    finally:
        await ledger.pool.execute("DELETE FROM log WHERE id = 1")
