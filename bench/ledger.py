"""Entries for measurements, written straight into the tables by several processes: the ledger verifies like one that grew."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from bench.indexes import without
from bench.moulds import COLUMNS, sub_mark
from sayso import keys
from sayso.anchor import AnchorFolder
from sayso.rules.entries import Entry
from sayso.rules.notes import Checkpoint, checkpoint_text, sign
from sayso.rules.tiles import edge_keys, extend, root_at
from sayso.rules.words import Scope


def choice(*, out: bool, old: str = "not_set") -> Entry:
    """A person's own word on their preference page, said as their first subject."""
    return Entry(
        "", "", "choice", 0, 0, "choice", "preference_center", f"p:{sub_mark(0)}", "c:shop", scope=Scope("*", "email", "promotional"),
        own=True, strong=True, method="explicit", old=old, new="opted_out" if out else "opted_in",
    )  # fmt: skip


async def spread(dsn: str, folder: Path, module: str, parts: Sequence[tuple[int, ...]]) -> None:
    """Runs a module once for each part, all at once; each writes rows, and hashes of leaves to the file it is told of. Then closes the log."""
    with tempfile.TemporaryDirectory() as place:
        files = [Path(place) / str(n) for n in range(len(parts))]
        environment = {**os.environ, "BENCH_DSN": dsn, "BENCH_FOLDER": str(folder)}
        async with without(dsn, sorted(COLUMNS, key=lambda table: table != "entry")):
            running = [
                await asyncio.create_subprocess_exec(sys.executable, "-m", module, *map(str, part), str(file), env=environment)
                for part, file in zip(parts, files, strict=True)
            ]
            if any(await asyncio.gather(*(one.wait() for one in running))):
                raise RuntimeError("filling failed")
        raw = b"".join(file.read_bytes() for file in files)
    await sealed(dsn, folder, [raw[at : at + 32] for at in range(0, len(raw), 32)])


async def sealed(dsn: str, folder: Path, hashes: Sequence[bytes]) -> None:
    """Tiles, a checkpoint and its anchor, when the log got these leaf hashes; then the statistics are brought up to date."""
    own = keys.load(folder)
    connection = await asyncpg.connect(dsn)
    try:
        before = int(await connection.fetchval("SELECT coalesce(sum(length(hashes)), 0) / 32 FROM log_tile WHERE level = 0"))
        edge = [
            await connection.fetchrow("SELECT level, n, hashes FROM log_tile WHERE level = $1 AND n = $2", *key)
            for key in edge_keys(before)
        ]
        kept = {(row["level"], row["n"]): row["hashes"] for row in edge if row}
        changed = extend(kept, before, hashes)
        tiles, size, now = {**kept, **changed}, before + len(hashes), time.time_ns() // 1000
        root = root_at(size, lambda level, n: tiles[level, n])
        note = sign(checkpoint_text(Checkpoint(own.ledger_name, size, root)), own.ledger_name, own.ledger_key)
        async with connection.transaction():
            await connection.executemany("DELETE FROM log_tile WHERE level = $1 AND n = $2", list(kept.keys() & changed.keys()))
            await connection.copy_records_to_table("log_tile", records=[(0, level, n, row) for (level, n), row in changed.items()])
            await connection.copy_records_to_table("log_checkpoint", records=[(0, size, root, note, now)])
        await connection.execute(f"VACUUM (ANALYZE) {', '.join(COLUMNS)}, log_tile", timeout=600)
    finally:
        await connection.close()
    await AnchorFolder.of(folder, own.ledger_name).keep(note, now)
