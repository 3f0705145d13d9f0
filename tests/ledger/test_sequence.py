"""Every acknowledged entry gets its place once, in its chain's order, under a signature that contradicts no earlier one."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from ledger_writer import MALLORYS, ORIGIN, PRIVATE, Ledger, opened_ledger

from sayso.anchor import AnchorFolder
from sayso.contracts.ledger import LedgerDamaged, LedgerRolledBack, NotInLedger, Signed
from sayso.flows.prove import prove
from sayso.rules.merkle import EMPTY_ROOT, check_consistency
from sayso.rules.notes import Checkpoint, checkpoint_text, key_of, open_checkpoint, sign
from sayso.rules.proofs import verify_proof
from sayso.rules.tiles import consistency_proof, consistency_spans, tiles_needed
from sayso.store.queries import QUERIES

pytestmark = pytest.mark.feature("S9")


@pytest.fixture
async def ledger(module_database: str, tmp_path: Path) -> AsyncIterator[Ledger]:
    async with opened_ledger(module_database, tmp_path) as opened:
        yield opened


async def newest(ledger: Ledger) -> Checkpoint:
    signed = await ledger.log.newest()
    assert signed is not None
    found = open_checkpoint(signed.note.encode(), ledger.key)
    assert (found.size, found.root) == (signed.size, signed.root)
    return found


async def test_an_empty_log_is_signed_so_that_checkers_have_a_start(ledger: Ledger) -> None:
    assert (await ledger.sequence()).signed == 0
    assert await newest(ledger) == Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert (await ledger.sequence()).signed == 0


async def test_one_call_puts_every_waiting_entry_under_a_signature(ledger: Ledger) -> None:
    entries = await ledger.write(40)
    with pytest.raises(NotInLedger):
        await prove(entries[0], log=ledger.log)
    done = await ledger.sequence()
    assert (done.appended, done.signed, done.more) == (40, 40, False)
    for place, entry in enumerate(entries):
        leaf = (await ledger.log.leaves(place, 1))[0]
        assert verify_proof(await prove(entry, log=ledger.log), leaf, ledger.key).size == 40
    assert await ledger.pool.fetchval("SELECT count(*) FROM to_sequence") == 0


async def test_places_follow_received_at_and_id_over_any_batches(ledger: Ledger) -> None:
    entries = await ledger.write(700)
    more = True
    while more:
        more = (await ledger.sequence(batch=97)).more
    order = [row["entry"] for row in await ledger.pool.fetch("SELECT entry FROM log_entry ORDER BY seq")]
    assert order == entries
    assert (await newest(ledger)).size == 700


async def test_every_signed_tree_continues_every_earlier_one(ledger: Ledger) -> None:
    signed = []
    for count in (1, 1, 2, 200, 60, 1, 300):
        await ledger.write(count)
        await ledger.sequence()
        signed.append(await newest(ledger))
    for first, second in itertools.pairwise(signed):
        tiles = await ledger.log.tiles(tiles_needed(consistency_spans(first.size, second.size)))
        proof = consistency_proof(first.size, second.size, lambda level, n, tiles=tiles: tiles[level, n])
        check_consistency(first.size, first.root, second.size, second.root, proof)


async def test_nothing_new_is_signed_when_nothing_happened(ledger: Ledger) -> None:
    await ledger.write(3)
    await ledger.sequence()
    before = await ledger.pool.fetchval("SELECT count(*) FROM log_checkpoint")
    for _ in range(3):
        assert (await ledger.sequence()).signed == 3
    assert await ledger.pool.fetchval("SELECT count(*) FROM log_checkpoint") == before


async def test_processes_take_turns_and_no_entry_gets_two_places(ledger: Ledger) -> None:
    async def writing() -> None:
        for _ in range(20):
            await ledger.write(25)

    async def sequencing() -> None:
        while (await ledger.pool.fetchval("SELECT count(*) FROM log_entry")) < 500:
            await ledger.sequence(batch=60)

    await asyncio.gather(writing(), sequencing(), sequencing(), sequencing())
    await ledger.sequence()
    assert [row["entry"] for row in await ledger.pool.fetch("SELECT entry FROM log_entry ORDER BY seq")] == ledger.written
    assert (await newest(ledger)).size == 500
    assert (await ledger.verify()).problems == []


async def test_a_process_without_the_turn_does_nothing(ledger: Ledger) -> None:
    await ledger.write(5)
    async with ledger.log.turn() as turn:
        assert turn is not None
        done = await ledger.sequence()
    assert (done.appended, done.signed) == (0, None)
    assert (await ledger.sequence()).appended == 5


class Crash(Exception):
    """A process ends between two steps."""


class CrashingAnchor:
    """An anchor whose process dies before or after the note is on disk."""

    def __init__(self, real: AnchorFolder, *, keeps: bool) -> None:
        self.real, self.keeps = real, keeps

    async def last(self) -> str | None:
        return await self.real.last()

    async def kept(self) -> list[str]:
        return list(await self.real.kept())

    async def keep(self, note: str, at: int) -> None:
        if self.keeps:
            await self.real.keep(note, at)
        raise Crash


@pytest.mark.parametrize("keeps", [False, True])
async def test_a_crash_between_the_steps_is_mended_by_the_next_call(ledger: Ledger, keeps: bool) -> None:
    await ledger.write(10)
    await ledger.sequence()
    await ledger.write(10)
    real = ledger.anchor
    ledger.anchor = CrashingAnchor(real, keeps=keeps)  # type: ignore[assignment] # a process that dies is not an AnchorFolder
    with pytest.raises(Crash):
        await ledger.sequence()
    ledger.anchor = real
    assert await ledger.pool.fetchval("SELECT count(*) FROM log_entry") == 20
    assert (await newest(ledger)).size == 10
    done = await ledger.sequence()
    assert (done.appended, done.signed) == (0, 20)
    assert (await ledger.verify()).problems == []


async def test_a_lost_anchor_is_written_again_from_the_store(ledger: Ledger) -> None:
    await ledger.write(10)
    await ledger.sequence()
    (ledger.anchor.folder / "checkpoint").unlink()
    await ledger.sequence()
    signed = await ledger.log.newest()
    assert signed is not None
    assert await ledger.anchor.last() == signed.note


async def test_a_store_that_lost_its_checkpoints_signs_the_same_again(ledger: Ledger) -> None:
    await ledger.write(10)
    await ledger.sequence()
    before = await newest(ledger)
    await ledger.pool.execute("DELETE FROM log_checkpoint")
    await ledger.sequence()
    assert await newest(ledger) == before


async def refuses(ledger: Ledger, error: type[Exception], match: str) -> None:
    """The sequencer signs nothing, now and after more entries have come."""
    kept, rows = await ledger.anchor.last(), await ledger.pool.fetchval("SELECT count(*) FROM log_checkpoint")
    for _ in range(2):
        with pytest.raises(error, match=match):
            await ledger.sequence()
        await ledger.write(30)
    assert await ledger.anchor.last() == kept
    assert await ledger.pool.fetchval("SELECT count(*) FROM log_checkpoint") == rows


async def test_an_old_database_put_back_signs_nothing(ledger: Ledger) -> None:
    await ledger.write(10)
    await ledger.sequence()
    await ledger.pool.execute("CREATE TABLE old_entry AS TABLE log_entry")
    await ledger.pool.execute("CREATE TABLE old_tile AS TABLE log_tile")
    await ledger.write(10)
    await ledger.sequence()
    await ledger.pool.execute("DELETE FROM log_entry; INSERT INTO log_entry TABLE old_entry")
    await ledger.pool.execute("DELETE FROM log_tile; INSERT INTO log_tile TABLE old_tile; DELETE FROM log_checkpoint WHERE size > 10")
    await refuses(ledger, LedgerRolledBack, "10 entries, but 20 were signed")
    await ledger.pool.execute("DROP TABLE old_entry, old_tile")


async def test_an_old_database_that_grew_past_the_anchor_signs_nothing(ledger: Ledger, tmp_path: Path) -> None:
    await ledger.write(10)
    await ledger.sequence()
    real, ledger.anchor = ledger.anchor, AnchorFolder(tmp_path / "elsewhere")
    await ledger.pool.execute("UPDATE log_tile SET hashes = sha256('forged')")
    await ledger.pool.execute("DELETE FROM log_entry WHERE seq > 0")
    await ledger.pool.execute("DELETE FROM log_checkpoint")
    await ledger.write(30)
    await ledger.sequence()
    await ledger.pool.execute("DELETE FROM log_checkpoint")
    ledger.anchor = real
    await refuses(ledger, LedgerRolledBack, "does not continue")


async def test_a_log_without_its_newest_places_is_not_signed(ledger: Ledger) -> None:
    await ledger.write(10)
    await ledger.sequence()
    await ledger.pool.execute("DELETE FROM log_entry WHERE seq = 9")
    await refuses(ledger, LedgerRolledBack, "9 entries, but 10 were signed")


async def test_tiles_that_do_not_fit_are_not_built_upon(ledger: Ledger) -> None:
    await ledger.write(10)
    await ledger.sequence()
    await ledger.pool.execute("UPDATE log_tile SET hashes = substring(hashes from 1 for 288)")
    await ledger.write(1)
    await refuses(ledger, LedgerDamaged, "does not fit a log of 10 entries")


async def test_a_changed_tile_is_not_signed(ledger: Ledger) -> None:
    await ledger.write(10)
    await ledger.sequence()
    await ledger.pool.execute("UPDATE log_tile SET hashes = set_byte(hashes, 40, 255 - get_byte(hashes, 40))")
    await ledger.write(1)
    await refuses(ledger, LedgerRolledBack, "does not continue")


async def test_an_entry_that_lost_its_leaf_stops_the_log(ledger: Ledger) -> None:
    entries = await ledger.write(3)
    await ledger.pool.execute("DELETE FROM entry WHERE id = $1", entries[1])
    with pytest.raises(LedgerDamaged, match="does not exist"):
        await ledger.sequence()


async def test_a_forged_checkpoint_row_is_not_built_upon(ledger: Ledger) -> None:
    await ledger.write(10)
    await ledger.sequence()
    note = sign(checkpoint_text(Checkpoint(ORIGIN, 10, bytes(32))), ORIGIN, MALLORYS)
    await ledger.pool.execute("UPDATE log_checkpoint SET root = $1, note = $2", bytes(32), note)
    await refuses(ledger, LedgerRolledBack, "does not verify")


async def test_another_column_than_was_signed_is_not_built_upon(ledger: Ledger) -> None:
    await ledger.write(10)
    await ledger.sequence()
    await ledger.pool.execute("UPDATE log_checkpoint SET root = $1", bytes(32))
    await refuses(ledger, LedgerRolledBack, "not the one that was signed")


@pytest.mark.parametrize("text", ["", "\x00\xff", "sayso.example/test\n10\n"])
async def test_an_unreadable_anchor_stops_signing(ledger: Ledger, text: str) -> None:
    await ledger.write(10)
    await ledger.sequence()
    (ledger.anchor.folder / "checkpoint").write_bytes(text.encode("latin-1"))
    await refuses(ledger, LedgerRolledBack, "does not verify")


async def test_a_contradicting_empty_checkpoint_stops_signing(ledger: Ledger) -> None:
    await ledger.anchor.keep(sign(checkpoint_text(Checkpoint(ORIGIN, 0, bytes(32))), ORIGIN, PRIVATE), ledger.clock)
    await refuses(ledger, LedgerRolledBack, "empty log")


async def test_a_damaged_log_proves_nothing(ledger: Ledger) -> None:
    entries = await ledger.write(10)
    await ledger.sequence()
    await ledger.pool.execute("UPDATE log_tile SET hashes = set_byte(hashes, 40, 255 - get_byte(hashes, 40))")
    with pytest.raises(LedgerDamaged, match="cannot be proven"):
        await prove(entries[0], log=ledger.log)
    await ledger.pool.execute("DELETE FROM log_tile")
    with pytest.raises(LedgerDamaged, match="cannot be proven"):
        await prove(entries[0], log=ledger.log)
    await ledger.pool.execute("DELETE FROM entry WHERE id = $1", entries[1])
    with pytest.raises(LedgerDamaged, match="no leaf"):
        await prove(entries[1], log=ledger.log)


async def test_a_key_of_another_origin_is_another_key(ledger: Ledger) -> None:
    assert key_of(ORIGIN, PRIVATE).id != key_of(f"{ORIGIN}/2", PRIVATE).id
    first, second = (AnchorFolder.of(ledger.anchor.folder, origin) for origin in ("a/b", "a_b"))
    assert first.folder != second.folder


async def test_anchors_of_older_hours_are_kept_and_nobody_else_can_read_them(ledger: Ledger) -> None:
    hour = 3_600_000_000
    notes = []
    for step in range(4):
        await ledger.write(5)
        await ledger.sequence()
        notes.append(await ledger.anchor.last())
        ledger.clock += hour if step != 1 else 0
    assert list(await ledger.anchor.kept()) == [notes[0], notes[2], notes[3], notes[3]]
    assert {path.stat().st_mode & 0o777 for path in ledger.anchor.folder.iterdir()} == {0o600}
    assert ledger.anchor.folder.stat().st_mode & 0o777 == 0o700


async def test_the_same_size_is_never_kept_with_two_roots(ledger: Ledger) -> None:
    await ledger.write(2)
    await ledger.sequence()
    async with ledger.log.turn() as turn:
        assert turn is not None
        with pytest.raises(Exception, match="duplicate key"):
            await turn.keep(Signed(2, bytes(32), "", 0))


async def test_old_checkpoints_are_thinned_to_one_an_hour_and_everything_still_verifies(ledger: Ledger) -> None:
    for _ in range(30):
        await ledger.write(2)
        await ledger.sequence()
        ledger.clock += 900_000_000
    before = await ledger.pool.fetch("SELECT size, at FROM log_checkpoint ORDER BY size")
    await ledger.pool.execute(QUERIES["thin_checkpoints"], ledger.clock + 86_400_000_000 - 4 * 3_600_000_000)
    left = await ledger.pool.fetch("SELECT size, at FROM log_checkpoint ORDER BY size")
    old = (ledger.clock - 4 * 3_600_000_000) // 3_600_000_000 * 3_600_000_000
    hours = {row["at"] // 3_600_000_000: row for row in before if row["at"] < old}
    assert left == [*hours.values(), *(row for row in before if row["at"] >= old)]
    assert len(left) < len(before)
    found = await ledger.verify()
    assert (found.problems, found.signed) == ([], 60)
    await ledger.pool.execute(QUERIES["thin_checkpoints"], ledger.clock + 10 * 86_400_000_000)
    assert (await newest(ledger)).size == 60
