"""Whatever is altered, dropped, inserted, swapped, cut or signed anew in the store is found, and the first bad entry is named."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from ledger_writer import MALLORYS, ORIGIN, PRIVATE, Ledger, Saved, opened_ledger

from sayso.contracts.ledger import Signed
from sayso.flows.verify import verify
from sayso.rules.leaves import build, parse
from sayso.rules.merkle import leaf_hash, root_of
from sayso.rules.notes import Checkpoint, checkpoint_text, sign
from sayso.rules.tiles import extend
from sayso.rules.words import Scope

pytestmark = pytest.mark.feature("S9", "Q3")

SIZE = 300


@pytest.fixture(scope="module")
def saved() -> Saved:
    return Saved()


@pytest.fixture
async def ledger(module_database: str, saved: Saved, tmp_path: Path) -> AsyncIterator[Ledger]:
    """300 sequenced entries under four checkpoints, and five that wait."""
    async with opened_ledger(module_database, tmp_path) as opened:
        if module_database in saved.known:
            yield await saved.restore(module_database, opened)
            return
        for count in (1, 99, 100, 100):
            await opened.write(count)
            await opened.sequence()
        await opened.write(5)
        await saved.save(module_database, opened)
        yield opened


async def test_an_untouched_ledger_verifies_with_every_count(ledger: Ledger) -> None:
    found = await ledger.verify(ledger)
    assert found.problems == []
    assert found.ok
    assert found.first_bad is None
    assert (found.size, found.signed, found.entries, found.unsequenced) == (SIZE, SIZE, SIZE + 5, 5)
    assert (found.chains, found.checkpoints, found.anchors, found.details, found.details_gone) == (7, 4, 2, SIZE + 5, 0)


async def test_an_empty_ledger_verifies(module_database: str, tmp_path: Path) -> None:
    async with opened_ledger(module_database, tmp_path) as opened:
        assert (await opened.verify()).problems == []
        await opened.sequence()
        found = await opened.verify()
        assert found.problems == []
        assert (found.size, found.checkpoints) == (0, 1)


async def test_progress_is_told_and_ends_at_the_end(ledger: Ledger) -> None:
    told: list[tuple[int, int]] = []
    async with ledger.log.audit() as audit:
        await verify(audit=audit, anchor=ledger.anchor, key=ledger.key, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (2 * SIZE + 5, 2 * SIZE + 5)
    assert told == sorted(told)


async def test_destroyed_keys_leave_everything_else_provable(ledger: Ledger) -> None:
    for entry in ledger.written[:10]:
        del ledger.details[entry]
    found = await ledger.verify(ledger)
    assert found.problems == []
    assert (found.details, found.details_gone) == (SIZE - 5, 10)


async def test_a_changed_detail_is_not_what_was_committed_to(ledger: Ledger) -> None:
    salt, _ = ledger.details[ledger.written[40]]
    ledger.details[ledger.written[40]] = (salt, b'{"email":"mallory@example.com"}')
    found = await ledger.verify(ledger)
    assert [(problem.seq, problem.entry) for problem in found.problems] == [(40, ledger.written[40])]
    assert "commits to" in found.problems[0].what


async def test_a_chain_that_ended_with_an_erasure_needs_no_subject(ledger: Ledger) -> None:
    ledger.states.clear()
    await ledger.pool.execute(
        "DELETE FROM subject; DELETE FROM entry; DELETE FROM log_entry; DELETE FROM log_tile; DELETE FROM to_sequence"
    )
    await ledger.pool.execute("DELETE FROM log_checkpoint")
    for path in ledger.anchor.folder.iterdir():
        path.unlink()
    await ledger.write(7)
    await ledger.write(1, kind="event", act="erased", scope=None, new="", strong=False, own=False)
    await ledger.sequence()
    assert (await ledger.verify()).problems == []
    erased = next(sub for sub, (state, _) in ledger.states.items() if state.length == 2)
    await ledger.pool.execute("DELETE FROM subject WHERE pseudonym = $1", erased)
    found = await ledger.verify()
    assert (found.problems, found.erased) == ([], 1)
    await ledger.pool.execute("DELETE FROM subject WHERE pseudonym = $1", next(sub for sub in ledger.states if sub != erased))
    assert "gone" in (await ledger.verify()).problems[0].what


Mutation = Callable[[Ledger], Awaitable[int | None]]
"""Changes the store behind our back; returns the place of the first entry that is bad by it (None: no single one is)."""


def sql(statement: str, bad: int | None = None) -> Mutation:
    async def mutate(ledger: Ledger) -> int | None:
        assert await ledger.pool.execute(statement) not in ("UPDATE 0", "DELETE 0", "INSERT 0 0")
        return bad

    return mutate


def at(place: int) -> str:
    return f"(SELECT entry FROM log_entry WHERE seq = {place})"


async def rewritten(ledger: Ledger, place: int) -> bytes:
    """The leaf at a place, turned from one choice into the other, and kept in the store."""
    entry = ledger.written[place]
    fields = parse(await ledger.pool.fetchval("SELECT leaf FROM entry WHERE id = $1", entry))
    fields["x"]["new"] = "opted_out" if fields["x"]["new"] == "opted_in" else "opted_in"
    leaf = build(fields)
    await ledger.pool.execute("UPDATE entry SET leaf = $1 WHERE id = $2", leaf, entry)
    return leaf


async def rebuilt(ledger: Ledger) -> list[bytes]:
    """All leaf hashes, with tiles that fit them, however they came to be."""
    rows = await ledger.pool.fetch("SELECT e.leaf FROM log_entry l JOIN entry e ON e.id = l.entry ORDER BY l.seq")
    hashes = [leaf_hash(row["leaf"]) for row in rows]
    await ledger.pool.execute("DELETE FROM log_tile")
    tiles = [(0, level, n, row) for (level, n), row in extend({}, 0, hashes).items()]
    await ledger.pool.executemany("INSERT INTO log_tile VALUES ($1, $2, $3, $4)", tiles)
    return hashes


async def a_leaf_rewritten(ledger: Ledger) -> int:
    await rewritten(ledger, 120)
    return 120


async def a_leaf_rewritten_with_its_tiles(ledger: Ledger) -> int:
    await rewritten(ledger, 120)
    await rebuilt(ledger)
    return 120


async def the_newest_leaf_rewritten_with_its_tiles(ledger: Ledger) -> int:
    await rewritten(ledger, 299)
    await rebuilt(ledger)
    return 299


async def everything_signed_anew(ledger: Ledger, private: object = PRIVATE) -> int | None:
    """History rewritten by somebody who holds even the signature key: only the anchor outside the store knows better."""
    await rewritten(ledger, 290)
    hashes = await rebuilt(ledger)
    for row in await ledger.pool.fetch("SELECT size FROM log_checkpoint"):
        root = root_of(hashes[: row["size"]])
        note = sign(checkpoint_text(Checkpoint(ORIGIN, row["size"], root)), ORIGIN, private)  # type: ignore[arg-type] # either key
        await ledger.pool.execute("UPDATE log_checkpoint SET root = $1, note = $2 WHERE size = $3", root, note, row["size"])
    return None


async def everything_signed_by_another_key(ledger: Ledger) -> int | None:
    return await everything_signed_anew(ledger, MALLORYS)


async def a_log_cut_and_signed_anew(ledger: Ledger) -> int | None:
    await ledger.pool.execute("DELETE FROM log_checkpoint WHERE size > 200")
    await ledger.pool.execute("DELETE FROM log_entry WHERE seq >= 250")
    hashes = await rebuilt(ledger)
    note = sign(checkpoint_text(Checkpoint(ORIGIN, 250, root_of(hashes))), ORIGIN, PRIVATE)
    async with ledger.log.turn() as turn:
        assert turn is not None
        await turn.keep(Signed(250, root_of(hashes), note, 0))
    return None


async def an_entry_dropped_with_everything_after_it_moved_up(ledger: Ledger) -> int:
    entry = ledger.written[50]
    await ledger.pool.execute("DELETE FROM log_entry WHERE seq = 50")
    for place in range(51, SIZE):
        await ledger.pool.execute("UPDATE log_entry SET seq = seq - 1 WHERE seq = $1", place)
    await ledger.pool.execute("DELETE FROM entry WHERE id = $1", entry)
    return 50


async def two_entries_swapped(ledger: Ledger) -> int:
    await ledger.pool.execute("UPDATE log_entry SET seq = -1 WHERE seq = 10")
    await ledger.pool.execute("UPDATE log_entry SET seq = 10 WHERE seq = 200")
    await ledger.pool.execute("UPDATE log_entry SET seq = 200 WHERE seq = -1")
    return 10


async def an_entry_inserted_beside_the_log(ledger: Ledger) -> int | None:
    fresh = await ledger.write(1)
    await ledger.pool.execute("DELETE FROM to_sequence WHERE id = $1", fresh[0])
    return None


async def an_entry_inserted_in_the_middle(ledger: Ledger) -> int:
    fresh = await ledger.write(1)
    await ledger.pool.execute("DELETE FROM to_sequence WHERE id = $1", fresh[0])
    for place in range(SIZE - 1, 149, -1):
        await ledger.pool.execute("UPDATE log_entry SET seq = seq + 1 WHERE seq = $1", place)
    await ledger.pool.execute("INSERT INTO log_entry VALUES (0, 150, $1, $2)", fresh[0].bytes[-1], fresh[0])
    return 150


async def a_waiting_entry_replaced(ledger: Ledger) -> None:
    await rewritten(ledger, SIZE + 2)


async def an_entry_back_in_the_queue(ledger: Ledger) -> None:
    entry = ledger.written[5]
    await ledger.pool.execute("INSERT INTO to_sequence VALUES ($1, 1, $2)", entry.bytes[-1], entry)


MUTATIONS: dict[str, Mutation] = {
    "leaf rewritten": a_leaf_rewritten,
    "leaf and tiles rewritten": a_leaf_rewritten_with_its_tiles,
    "newest leaf and tiles rewritten": the_newest_leaf_rewritten_with_its_tiles,
    "all rewritten and signed": everything_signed_anew,
    "all rewritten and signed by another": everything_signed_by_another_key,
    "log cut and signed": a_log_cut_and_signed_anew,
    "entry dropped, rest moved up": an_entry_dropped_with_everything_after_it_moved_up,
    "two entries swapped": two_entries_swapped,
    "entry inserted beside": an_entry_inserted_beside_the_log,
    "entry inserted between": an_entry_inserted_in_the_middle,
    "waiting entry replaced": a_waiting_entry_replaced,
    "entry queued again": an_entry_back_in_the_queue,
    "bit of a leaf": sql(f"UPDATE entry SET leaf = set_byte(leaf, 30, 1) WHERE id = {at(77)}", 77),
    "byte behind a leaf": sql(f"UPDATE entry SET leaf = leaf || ' ' WHERE id = {at(0)}", 0),
    "entry dropped": sql(f"DELETE FROM entry WHERE id = {at(60)}", 60),
    "newest entry dropped": sql(f"DELETE FROM entry WHERE id = {at(299)}", 299),
    "place dropped": sql("DELETE FROM log_entry WHERE seq = 60", 60),
    "first place dropped": sql("DELETE FROM log_entry WHERE seq = 0", 0),
    "log cut": sql("DELETE FROM log_entry WHERE seq >= 290", 290),
    "log emptied": sql("DELETE FROM log_entry", 0),
    "column scope": sql(f"UPDATE entry SET category = 'events' WHERE id = {at(9)}", 9),
    "column effect": sql(f"UPDATE entry SET effect = 'superseded' WHERE id = {at(9)}", 9),
    "column at": sql(f"UPDATE entry SET at = at + 1 WHERE id = {at(9)}", 9),
    "column src": sql(f"UPDATE entry SET src = 'api' WHERE id = {at(9)}", 9),
    "column ver": sql(f"UPDATE entry SET ver = ver + 100 WHERE id = {at(9)}", 9),
    "waiting entry dropped": sql("DELETE FROM entry WHERE id = (SELECT max(id::text)::uuid FROM to_sequence)"),
    "waiting entry dropped from the queue": sql("DELETE FROM to_sequence WHERE id = (SELECT max(id::text)::uuid FROM to_sequence)"),
    "unknown entry queued": sql("INSERT INTO to_sequence VALUES (1, 1, '019aa7b2-0000-7000-8000-000000000001')"),
    "tile bit": sql("UPDATE log_tile SET hashes = set_byte(hashes, 3200, 255 - get_byte(hashes, 3200)) WHERE level = 0 AND n = 0", 100),
    "partial tile bit": sql("UPDATE log_tile SET hashes = set_byte(hashes, 0, 255 - get_byte(hashes, 0)) WHERE level = 0 AND n = 1", 256),
    "upper tile bit": sql("UPDATE log_tile SET hashes = set_byte(hashes, 5, 255 - get_byte(hashes, 5)) WHERE level = 1", 0),
    "tile cut": sql("UPDATE log_tile SET hashes = substring(hashes from 1 for 320) WHERE n = 1", 266),
    "tile longer": sql("UPDATE log_tile SET hashes = hashes || sha256('x') WHERE n = 1"),
    "tile dropped": sql("DELETE FROM log_tile WHERE level = 0 AND n = 1", 256),
    "tile inserted": sql("INSERT INTO log_tile VALUES (0, 0, 2, sha256('x'))", 300),
    "level inserted": sql("INSERT INTO log_tile VALUES (0, 2, 0, sha256('x'))", 300),
    "checkpoint root": sql("UPDATE log_checkpoint SET root = sha256('x') WHERE size = 100"),
    "checkpoint note": sql("UPDATE log_checkpoint SET note = replace(note, '100', '101') WHERE size = 100"),
    "checkpoint moved": sql("UPDATE log_checkpoint SET size = 101 WHERE size = 100"),
    "state": sql("UPDATE subject SET state = '{}' WHERE length > 40"),
    "version": sql("UPDATE subject SET version = version + 1 WHERE length > 40"),
    "length": sql("UPDATE subject SET length = length + 1 WHERE length > 40"),
    "head": sql("UPDATE subject SET head = sha256('x') WHERE length > 40"),
    "last_at": sql("UPDATE subject SET last_at = last_at + 1 WHERE length > 40"),
    "subject dropped": sql("DELETE FROM subject WHERE length > 40"),
    "subject renamed": sql("UPDATE subject SET pseudonym = set_byte(pseudonym, 9, 1) WHERE length > 40"),
    "subject invented": sql("INSERT INTO subject VALUES (1, '\\x01', 'address', '\\x01', '', 1, 1, '\\x01', 1, '{\"d\":1}')"),
}


@pytest.mark.parametrize("name", MUTATIONS)
async def test_every_mutation_is_found(ledger: Ledger, name: str) -> None:
    bad = await MUTATIONS[name](ledger)
    found = await ledger.verify()
    assert not found.ok, name
    first = found.first_bad
    assert first is not None
    if bad is not None:
        assert first.seq == bad, found.problems


async def test_random_flipped_bits_of_leaves_and_tiles_are_all_found(ledger: Ledger) -> None:
    chance = random.Random(6962)
    for _ in range(60):
        place = chance.randrange(SIZE)
        table = chance.choice(["entry", "log_tile"])
        column, where = ("leaf", f"id = {at(place)}") if table == "entry" else ("hashes", f"level = 0 AND n = {place // 256}")
        length = await ledger.pool.fetchval(f"SELECT length({column}) FROM {table} WHERE {where}")
        flip = f"UPDATE {table} SET {column} = set_bit({column}, $1, 1 - get_bit({column}, $1)) WHERE {where}"
        bit = chance.randrange(length * 8)
        await ledger.pool.execute(flip, bit)
        found = await ledger.verify()
        assert found.first_bad is not None
        assert found.first_bad.seq == (place if table == "entry" else place // 256 * 256 + bit // 256)
        await ledger.pool.execute(flip, bit)
    assert (await ledger.verify()).problems == []


async def test_a_flood_of_problems_is_counted_and_the_first_is_still_named(ledger: Ledger) -> None:
    await ledger.pool.execute("UPDATE entry SET effect = 'refused', src = 'api'")
    found = await ledger.verify()
    assert found.problem_count == 2 * (SIZE + 5)
    assert 100 <= len(found.problems) < 2 * SIZE
    assert found.first_bad is not None
    assert found.first_bad.seq == 0


@pytest.mark.parametrize("keep", ["checkpoint", "checkpoint-20231114T22Z"])
async def test_each_kept_anchor_is_compared(ledger: Ledger, keep: str) -> None:
    other = sign(checkpoint_text(Checkpoint(ORIGIN, 150, bytes(32))), ORIGIN, PRIVATE)
    assert (ledger.anchor.folder / keep).exists()
    (ledger.anchor.folder / keep).write_text(other)
    assert "not the ones that were signed" in (await ledger.verify()).problems[0].what
    (ledger.anchor.folder / keep).write_text(sign(checkpoint_text(Checkpoint(ORIGIN, 9_999, bytes(32))), ORIGIN, PRIVATE))
    assert "cut or rolled back" in (await ledger.verify()).problems[0].what
    (ledger.anchor.folder / keep).write_text("nonsense")
    assert "anchor does not verify" in (await ledger.verify()).problems[0].what
    (ledger.anchor.folder / keep).write_text(sign(checkpoint_text(Checkpoint(ORIGIN, 0, bytes(32))), ORIGIN, PRIVATE))
    assert not (await ledger.verify()).ok


async def test_entries_of_every_kind_replay_to_their_state(ledger: Ledger) -> None:
    await ledger.write(9, kind="pause", act="pause", scope=Scope("outlet", "*", "*"), new="", until=5)
    await ledger.write(9, kind="block", act="hard_bounce", scope=None, new="set")
    await ledger.write(9, kind="block", act="soft_bounce", scope=None, new="set")
    await ledger.write(9, kind="event", act="mail.delivered", scope=None, new="")
    await ledger.write(9, kind="place", act="place", scope=None, new="DE")
    await ledger.write(9, kind="choice", act="set", scope=Scope("*", "*", "*"), new="opted_in", strong=False, effect="quarantined")
    await ledger.write(9, kind="link", act="link", scope=None, other="ab" * 16, other_kind="contact", primary=True)
    await ledger.sequence()
    assert (await ledger.verify(ledger)).problems == []
