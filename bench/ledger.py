"""A ledger for measurements, written straight into the tables: it verifies like one that grew, and its details open.

`python -m bench.ledger FIRST PEOPLE FILE` writes the chains of some people and keeps their leaf hashes in a file.
"""

import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from bench.chains import VACUUM, Pen, joined
from sayso import keys
from sayso.anchor import AnchorFolder
from sayso.rules.entries import Entry
from sayso.rules.notes import Checkpoint, checkpoint_text, sign
from sayso.rules.subjects import subject_id
from sayso.rules.tiles import edge_keys, extend, root_at
from sayso.rules.words import Scope

EACH = 4
"""Choices of one person."""
BLOCK = 2_500
"""People whose choices lie mixed in the log."""
START = 1_750_000_000_000_000
"""When the first of them was made; a person's first one is so many microseconds later as places before it."""


def _block(pen: Pen, first: int, count: int) -> None:
    """The chains of the people first … first + count - 1, turn by turn."""
    vault = pen.vault
    people = [
        (pen.chain(subject_id(pen.keys.pepper, "contact", f"l-{n}"), "contact", f"l-{n}", vault), {"contact_id": f"l-{n}"})
        for n in range(first, first + count)
    ]
    scope = Scope("*", "email", "promotional")
    for turn in range(EACH):
        old, new = ("opted_in", "opted_out") if turn % 2 else ("opted_out", "opted_in")
        for chain, detail in people:
            entry = Entry(
                "", "", "choice", 0, 0, "choice", "preference_center", f"p:{chain.sub}", "c:shop", scope=scope, own=True, strong=True,
                method="explicit", old=old if turn else "not_set", new=new,
            )  # fmt: skip
            pen.write(chain, entry, detail, vault)


async def _write(dsn: str, folder: Path, first: int, people: int, file: Path) -> None:
    """The chains of the people first … first + people - 1, in blocks; their places in the log begin at first × EACH."""
    pen = Pen(keys.load(folder), random.Random(first), START + first * EACH, first * EACH)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SET synchronous_commit = off")
        for start in range(first, first + people, BLOCK):
            _block(pen, start, min(BLOCK, first + people - start))
            await pen.copy(connection)
    finally:
        await connection.close()
    file.write_bytes(b"".join(pen.hashes))


async def make(dsn: str, folder: Path, entries: int, processes: int = 2) -> None:
    """So many entries in an empty database, with tiles, a checkpoint and its anchor."""
    people = entries // EACH
    share = -(-people // processes)
    parts = [(first, min(share, people - first)) for first in range(0, people, share)]
    with tempfile.TemporaryDirectory() as place:
        files = [Path(place) / str(first) for first, _ in parts]
        environment = {**os.environ, "BENCH_DSN": dsn, "BENCH_FOLDER": str(folder)}
        running = [
            await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.ledger", str(first), str(count), str(file), env=environment)
            for (first, count), file in zip(parts, files, strict=True)
        ]
        if any(await asyncio.gather(*(one.wait() for one in running))):
            raise RuntimeError("writing the ledger failed")
        await sealed(dsn, folder, joined([file.read_bytes() for file in files]))


async def sealed(dsn: str, folder: Path, hashes: Sequence[bytes]) -> None:
    """Tiles, a checkpoint and its anchor, when the log got these leaf hashes; then the statistics are brought up to date."""
    own = keys.load(folder)
    connection = await asyncpg.connect(dsn)
    try:
        kept = {(row["level"], row["n"]): row["hashes"] for row in await connection.fetch("SELECT level, n, hashes FROM log_tile")}
        before = sum(len(row) // 32 for (level, _), row in kept.items() if level == 0)
        tiles = {**kept, **extend({key: kept[key] for key in edge_keys(before)}, before, hashes)}
        size, now = before + len(hashes), time.time_ns() // 1000
        root = root_at(size, lambda level, n: tiles[level, n])
        note = sign(checkpoint_text(Checkpoint(own.ledger_name, size, root)), own.ledger_name, own.ledger_key)
        async with connection.transaction():
            await connection.execute("DELETE FROM log_tile")
            await connection.copy_records_to_table("log_tile", records=[(0, level, n, row) for (level, n), row in tiles.items()])
            await connection.copy_records_to_table("log_checkpoint", records=[(0, size, root, note, now)])
        await connection.execute(VACUUM, timeout=600)
    finally:
        await connection.close()
    await AnchorFolder.of(folder, own.ledger_name).keep(note, now)


if __name__ == "__main__":
    asyncio.run(_write(os.environ["BENCH_DSN"], Path(os.environ["BENCH_FOLDER"]), int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
