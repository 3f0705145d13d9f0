"""Thousands of random ways to tamper with a ledger, each of them found, and the first bad entry named."""

import random
from pathlib import Path

import pytest
import tampering
from in_memory import Rows, taken_from, verified
from ledger_writer import opened_ledger

from database import apart
from shares import Ran, is_soak, patience, share

pytestmark = pytest.mark.feature("S9", "Q3")

SIZE = 2_000 if is_soak() else 400
PEOPLE = SIZE // 20


@pytest.fixture(scope="module")
def rows(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """A log of entries of many people under eight checkpoints, anchors of three hours, and six entries that wait."""

    async def made(folder: Path) -> Rows:
        async with opened_ledger(module_database, folder) as ledger:
            for _ in range(8):
                await ledger.write(SIZE // 8, people=PEOPLE)
                await ledger.sequence()
                ledger.clock += 1_200_000_000
            await ledger.write(6)
            return await taken_from(ledger)

    return apart(made(tmp_path_factory.mktemp("tampering")))


async def test_the_rows_are_sound_before_anybody_tampers(rows: Rows) -> None:
    found = await verified(rows)
    assert found.problems == []
    assert (found.size, found.signed, found.entries, found.chains, found.checkpoints) == (SIZE, SIZE, SIZE + 6, PEOPLE, 8)
    assert found.anchors >= 3


@pytest.mark.soak
@pytest.mark.timeout(patience(180))
async def test_every_tampering_is_found_and_the_first_bad_entry_named(rows: Rows, ran: Ran) -> None:
    mutations = share("G4 mutations")
    for n in range(mutations):
        chance = random.Random(n)
        tamper = tampering.ALL[n % len(tampering.ALL)]
        other = rows.copy()
        bad = tamper(other, chance)
        found = await verified(other)
        told = f"{tamper.__name__} of seed {n}"
        assert not found.ok, told
        first = found.first_bad
        assert first is not None, told
        if bad.exactly:
            assert first.seq == bad.place, f"{told}: {first}, not {bad}"
        elif bad.place is not None:
            assert first.seq is not None and first.seq <= bad.place < (first.upto or first.seq + 1), f"{told}: {first}, not {bad}"
    ran("G4 mutations", mutations)


async def missed(rows: Rows, **without: bool) -> set[str]:
    """The tamperings that a verifier without one of its comparisons finds nothing wrong with."""
    found = set()
    for n, tamper in enumerate(tampering.ALL * 2):
        other = rows.copy()
        tamper(other, random.Random(n))
        if (await verified(other, **without)).ok:
            found.add(tamper.__name__)
    return found


async def test_a_verifier_without_anchors_misses_a_log_that_was_cut_and_made_to_fit(rows: Rows) -> None:
    assert await missed(rows, anchors=False) >= {"the_log_cut_and_made_to_fit", "an_anchor"}


async def test_a_verifier_without_replay_misses_columns_state_and_what_stands_beside_the_log(rows: Rows) -> None:
    assert await missed(rows, tree_only=True) >= {"a_column", "a_subject", "an_entry_inserted_beside_the_log", "a_waiting_leaf_rewritten"}
