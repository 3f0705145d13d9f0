"""Screening an audience from Parquet, with as many recipients as people, beside a bare DuckDB join of the same columns."""

import asyncio
import os
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from bench.figures import Figure, in_turn
from bench.hub import Bench
from bench.people import address_of
from sayso.audience_wiring import screening_of
from sayso.commands.frame import seldom_collected
from sayso.contracts.audience import Audience
from sayso.flows.screen import Caller, screen
from sayso.opening import opened
from sayso.settings import read
from sayso.web.api.audiences import ask_of

PIECE = 500_000


def recipients(place: Path, people: int) -> None:
    """A list of everybody, every third one in capitals, in no order that the database knows."""
    step = 7_919  # a prime: each place is visited once
    with pq.ParquetWriter(place, pa.schema([("email", pa.string())])) as out:
        for start in range(0, people, PIECE):
            names = [address_of(n * step % people) for n in range(start, min(start + PIECE, people))]
            out.write_table(pa.table({"email": [name.upper() if n % 3 == 0 else name for n, name in enumerate(names)]}))


def choices(place: Path, people: int) -> None:
    """What the bare join looks addresses up in: one row a person, with the answer in it."""
    with pq.ParquetWriter(place, pa.schema([("email", pa.string()), ("allowed", pa.bool_())])) as out:
        for start in range(0, people, PIECE):
            span = range(start, min(start + PIECE, people))
            out.write_table(pa.table({"email": [address_of(n) for n in span], "allowed": [n % 3 == 2 for n in span]}))


async def screening(hub: Bench, people: int) -> list[Figure]:
    """Rows a second, the snapshot being fresh on both sides: ours checks whether it is."""
    asked, known, told = (hub.folder / name for name in ("asked.parquet", "known.parquet", "told.parquet"))
    await asyncio.to_thread(recipients, asked, people)
    await asyncio.to_thread(choices, known, people)
    settings = read({"SAYSO_DATA_DIR": str(hub.folder), "SAYSO_DATABASE_URL": hub.dsn})

    async with opened(settings) as parts:
        ground = await parts.current.ground()
        wired = screening_of(parts)
        wired.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ask = ask_of("promotional", "email", None, "US", ground.catalogue)

        async def ours() -> float:
            start = time.perf_counter()
            done = await screen(
                Audience(asked, told, form_out="parquet"), ask, Caller("operator", "operator", "bench"), censuses=wired.censuses,
                engine=wired.engine, book=parts.book, ground=ground, crew=wired.crew,
            )  # fmt: skip
            taken = time.perf_counter() - start
            if done.totals.rows != people:
                raise RuntimeError(f"{done.totals.rows:,} rows of {people:,} were screened")
            return people / taken

        async def bare() -> float:
            start = time.perf_counter()
            await asyncio.to_thread(_join, asked, known, told)
            return people / (time.perf_counter() - start)

        with seldom_collected():  # as `sayso screen` does
            await ours()  # makes the snapshot, which is kept from then on
            mine, other = await in_turn(ours, bare)
    for one in (asked, known, told):
        one.unlink()
    name = f"audience rows/s from Parquet, {people:,} × {people:,}"
    return [Figure(name, "bare DuckDB join with lower()", "0.2", "0.5", "×", mine, other)]


def _join(asked: Path, known: Path, told: Path) -> None:
    with duckdb.connect(config={"threads": os.cpu_count() or 1}) as database:
        database.execute(
            f"COPY (SELECT a.email, coalesce(k.allowed, false) AS allowed FROM read_parquet('{asked}') a "
            f"LEFT JOIN read_parquet('{known}') k ON k.email = lower(a.email)) TO '{told}' (FORMAT parquet)"
        )
