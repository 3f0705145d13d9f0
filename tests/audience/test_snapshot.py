"""The snapshot keeps up: what changed is laid over it or written into it, and what cannot be trusted is made anew."""

import asyncio
import os
import random
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from crowd import Crowd, settle
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from database import IMPATIENT
from hub import PEPPER, Hub, api
from sayso.anchor import AnchorFolder
from sayso.audience.joined import DuckEngine
from sayso.audience.kept import NAMES, read
from sayso.contracts.audience import Audience, BadAudience, Screened
from sayso.contracts.book import Key, Unavailable
from sayso.contracts.ground import Ground
from sayso.flows import refresh as refreshing
from sayso.flows.record import Said, record
from sayso.flows.refresh import Fresh, refresh
from sayso.flows.screen import Caller, screen
from sayso.flows.sequence import sequence
from sayso.rules.catalogue import DEFAULT, Catalogue
from sayso.rules.gate import Ask
from sayso.rules.statements import Choose
from sayso.rules.words import Scope
from sayso.store.ledger import PostgresLog
from sayso.store.pool import open_pool
from sayso.store.snapshot import PostgresCensuses
from sayso.surveying import crew_of

PROMO = Scope("*", "email", "promotional")


@dataclass
class Bench:
    hub: Hub
    engine: DuckEngine
    folder: Path

    async def out(self, email: str) -> None:
        said = Said(api(), (Choose(PROMO, out=True),), address=Key("email", email, email))
        await record(said, book=self.hub.book, ground=self.hub.ground)

    async def sequenced(self) -> None:
        log, key = PostgresLog(self.hub.pool), Ed25519PrivateKey.from_private_bytes(b"k" * 32)
        anchor = AnchorFolder.of(self.folder, "sayso.test/1")
        await sequence(log=log, anchor=anchor, origin="sayso.test/1", private=key, now=time.time_ns() // 1000)

    async def refresh(self, ground: Ground | None = None) -> Fresh:
        async with PostgresCensuses(self.hub.pool, PEPPER).opened() as census:
            return await refresh(census=census, engine=self.engine, ground=ground or self.hub.ground)

    async def screen(self, *emails: str) -> tuple[Screened, list[str]]:
        source, target = self.folder / "in.csv", self.folder / "out.csv"
        source.write_text("email\n" + "".join(f"{email}\n" for email in emails))
        done = await screen(
            Audience(source, target), Ask("email", DEFAULT.get("promotional"), None, "US"), Caller("c:x", "c:x"),
            censuses=PostgresCensuses(self.hub.pool, PEPPER), engine=self.engine, book=self.hub.book, ground=self.hub.ground,
        )  # fmt: skip
        return done, [text.rpartition(",")[2] for text in target.read_text().splitlines()[1:]]


@pytest.fixture
async def bench(hub: Hub, tmp_path: Path) -> Bench:
    return Bench(hub, DuckEngine(tmp_path / "snapshot", tmp_path, PEPPER), tmp_path)


async def test_only_what_changed_is_read_again(bench: Bench) -> None:
    await bench.out("ada@example.com")
    await bench.sequenced()
    first = await bench.refresh()
    assert first.rebuilt and first.stand.subjects == 1 and first.stand.revision.log_size == 1
    again = await bench.refresh()
    assert not again.rebuilt and again.changed == () and again.stand == first.stand
    await bench.out("ben@example.com")
    waiting = await bench.refresh()
    assert not waiting.rebuilt and len(waiting.changed) == 1, "entries that have no place in the log yet count as well"
    await bench.sequenced()
    assert len((await bench.refresh()).changed) == 1


async def test_many_changes_become_a_new_snapshot_over_the_old_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ada", "ben", "chris"):
        await bench.out(f"{name}@example.com")
    await bench.sequenced()
    old = (await bench.refresh()).stand
    await bench.out("dora@example.com")
    await record(
        Said(api(), (Choose(PROMO, out=False),), address=Key("email", "ben@example.com")), book=bench.hub.book, ground=bench.hub.ground
    )
    await bench.sequenced()
    monkeypatch.setattr(refreshing, "OVERLAY", 1)
    monkeypatch.setattr(refreshing, "SHARE", 0)
    fresh = await bench.refresh()
    assert (fresh.rebuilt, fresh.changed, fresh.stand.subjects) == (False, (), 4) and fresh.stand.name != old.name
    assert pq.read_metadata(bench.folder / "snapshot" / f"{fresh.stand.name}.parquet").num_rows == 4
    _, reasons = await bench.screen("ada@example.com", "ben@example.com", "dora@example.com", "emil@example.com")
    assert reasons[0] == reasons[2] == "category_opted_out" and reasons[3] == "allowed_by_regime"


@pytest.mark.parametrize("harm", ["absent", "cut", "other recipe", "other past", "shorter log"])
async def test_a_snapshot_that_cannot_be_trusted_is_made_anew(bench: Bench, harm: str) -> None:
    await bench.out("ada@example.com")
    await bench.sequenced()
    stand = (await bench.refresh()).stand
    ground, names = bench.hub.ground, bench.folder / "snapshot" / NAMES
    match harm:
        case "absent":
            (bench.folder / "snapshot" / f"{stand.name}.parquet").unlink()
        case "cut":
            names.write_bytes(names.read_bytes()[:40])
        case "other recipe":
            ground = replace(ground, catalogue=Catalogue(2, DEFAULT.categories[:6]))
        case "other past":
            names.write_text(names.read_text().replace(stand.revision.head, "0" * 36))
        case _:
            await bench.hub.pool.execute("DELETE FROM log_entry")
    assert (await bench.refresh(ground)).rebuilt


async def test_a_state_that_cannot_be_read_lets_nobody_be_screened(bench: Bench) -> None:
    await bench.out("ada@example.com")
    await bench.hub.pool.execute("UPDATE subject SET state = 'x'")
    with pytest.raises(Unavailable, match="cannot be read"):
        await bench.screen("ada@example.com")


async def test_several_processes_say_of_everybody_what_one_says(hub: Hub, database: str, tmp_path: Path) -> None:
    crowd = Crowd(random.Random("a crew"))
    crowd.grow(400)
    await settle(database, crowd)
    told = []
    for name, crew in (("alone", None), ("together", crew_of(database, tmp_path / "together", processes=3))):
        engine = DuckEngine(tmp_path / name, tmp_path, PEPPER)
        counted: list[int] = []
        async with PostgresCensuses(hub.pool, PEPPER).opened() as census:
            fresh = await refresh(census=census, engine=engine, ground=hub.ground, crew=crew, tell=counted.append)
        assert fresh.rebuilt and fresh.stand.subjects == len(crowd.subjects) >= max(counted) > 0
        held = read(tmp_path / name)
        assert held is not None
        told.append({row.pop("k"): {**row, "profile": held.profiles[row["profile"]]} for row in pq.read_table(held.people).to_pylist()})
    assert told[0] == told[1]
    left = sorted(place.suffix for place in (tmp_path / "together").iterdir())
    assert left == [".json", ".json", ".parquet"], "no piece is left behind"


async def test_a_census_may_be_left_alone_for_long(hub: Hub, database: str) -> None:
    """A long audience is joined without asking the store anything; servers end transactions that stand idle."""
    await hub.pool.execute(IMPATIENT)
    pool = await open_pool(database, size=1)
    async with PostgresCensuses(pool, PEPPER).opened() as census:
        await asyncio.sleep(1)
        assert await census.entry_at(0) == ""
    await pool.close()


async def test_a_crew_that_cannot_read_the_store_makes_no_snapshot(bench: Bench) -> None:
    crew = crew_of("postgresql://nobody@127.0.0.1:1/none", bench.folder / "snapshot", processes=2)
    async with PostgresCensuses(bench.hub.pool, PEPPER).opened() as census:
        with pytest.raises(Unavailable):
            await refresh(census=census, engine=bench.engine, ground=bench.hub.ground, crew=crew)
    assert bench.engine.stand() is None


async def test_a_state_that_a_crew_cannot_read_makes_no_snapshot(bench: Bench, database: str) -> None:
    await bench.out("ada@example.com")
    await bench.hub.pool.execute("UPDATE subject SET state = 'x'")
    crew = crew_of(database, bench.folder / "snapshot", processes=2)
    async with PostgresCensuses(bench.hub.pool, PEPPER).opened() as census:
        with pytest.raises(Unavailable, match="cannot be read; run sayso verify"):
            await refresh(census=census, engine=bench.engine, ground=bench.hub.ground, crew=crew)
    assert bench.engine.stand() is None


async def test_few_are_read_by_one_process_alone(bench: Bench) -> None:
    crew = crew_of("postgresql://nobody@127.0.0.1:1/none", bench.folder / "snapshot")
    await bench.out("ada@example.com")
    async with PostgresCensuses(bench.hub.pool, PEPPER).opened() as census:
        fresh = await refresh(census=census, engine=bench.engine, ground=bench.hub.ground, crew=crew)
    assert fresh.stand.subjects == 1


async def test_nothing_is_screened_while_the_store_is_doubted(bench: Bench) -> None:
    with pytest.raises(Unavailable, match="rolled back"):
        async with PostgresCensuses(bench.hub.pool, PEPPER, lambda: "rolled back").opened():
            pass


async def test_an_input_that_breaks_off_in_the_middle_gives_no_result(bench: Bench) -> None:
    (bench.folder / "in.parquet").write_bytes(b"PAR1" + os.urandom(500) + b"PAR1")
    with pytest.raises(BadAudience):
        await screen(
            Audience(bench.folder / "in.parquet", bench.folder / "out"), Ask("email", DEFAULT.get("promotional")), Caller("c:x", "c:x"),
            censuses=PostgresCensuses(bench.hub.pool, PEPPER), engine=bench.engine, book=bench.hub.book, ground=bench.hub.ground,
        )  # fmt: skip
