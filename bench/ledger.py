"""A ledger for measurements, written straight into the tables: a minute for a million entries. It verifies like one that grew.

`python -m bench.ledger FIRST PEOPLE FILE` writes the chains of some people and keeps their leaf hashes in a file.
"""

import asyncio
import os
import random
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

import asyncpg

from sayso import keys
from sayso.anchor import AnchorFolder
from sayso.rules.entries import entry_of
from sayso.rules.ids import uuid7
from sayso.rules.leaves import parse
from sayso.rules.merkle import Edge, edge_root
from sayso.rules.notes import Checkpoint, checkpoint_text, sign
from sayso.rules.state import EMPTY, fold, to_bytes
from sayso.rules.tiles import grow, rows_after

EACH = 4
"""Choices of one person."""
BLOCK = 5_000
"""People whose choices lie mixed in the log."""
START = 1_750_000_000_000_000
LEAF = (
    '{{"act":"set","at":{at},"by":"p:{sub}","d":"{d}","effect":"applied","id":"{id}","own":1,"prev":"{prev}",'
    '"scope":["*","email","promotional"],"src":"preference_center","strong":1,"sub":"{sub}","t":"choice","ts":{at},"v":1,"ver":{ver},'
    '"via":"c:shop","x":{{"method":"explicit","new":"{new}","old":"{old}"}}}}'
)
SUBJECT = ("shard", "id", "kind", "pseudonym", "sealed", "version", "length", "head", "last_at", "state")


async def _write(dsn: str, first: int, people: int, file: Path) -> None:
    """The chains of the people first … first + people - 1, in blocks; their places in the log begin at first × EACH."""
    connection = await asyncpg.connect(dsn)
    chance = random.Random(first)
    try:
        await connection.execute("SET synchronous_commit = off")
        with file.open("wb") as hashes:
            for start in range(first, first + people, BLOCK):
                count = min(BLOCK, first + people - start)
                entries, places, subjects = _block(chance, start, count)
                hashes.write(b"".join(sha256(b"\0" + row[12]).digest() for row in entries))
                await connection.copy_records_to_table("entry", records=entries)
                await connection.copy_records_to_table("log_entry", records=places)
                await connection.copy_records_to_table("subject", records=subjects, columns=SUBJECT)
    finally:
        await connection.close()


def _block(chance: random.Random, start: int, count: int) -> tuple[list[tuple[object, ...]], ...]:
    subs = [chance.randbytes(16) for _ in range(count)]
    states, heads = [EMPTY] * count, [""] * count
    entries: list[tuple[object, ...]] = []
    places: list[tuple[object, ...]] = []
    at = START + start * EACH * 1_000
    for turn in range(EACH):
        old, new = ("opted_in", "opted_out") if turn % 2 else ("opted_out", "opted_in")
        for i, sub in enumerate(subs):
            at += 1_000
            one = uuid7(at, chance.randbytes(10), sub[0])
            values = {"at": at, "sub": sub.hex(), "d": chance.randbytes(32).hex(), "id": one, "prev": heads[i], "ver": turn + 1}
            leaf = LEAF.format(**values, new=new, old=old).encode()
            states[i] = fold(states[i], entry_of(parse(leaf)))
            heads[i] = sha256(b"\0" + leaf).hexdigest()
            scope = ("*", "email", "promotional")
            entries.append((sub[0], one, sub, turn + 1, at, "choice", "set", *scope, "preference_center", "applied", leaf))
            places.append((0, start * EACH + len(places), sub[0], one))
    subjects: list[tuple[object, ...]] = [
        (
            sub[0],
            sub[:1] + chance.randbytes(31),
            "contact",
            sub,
            b"",
            state.version,
            EACH,
            bytes.fromhex(head),
            state.last_at,
            to_bytes(state),
        )
        for sub, state, head in zip(subs, states, heads, strict=True)
    ]
    return entries, places, subjects


async def make(dsn: str, folder: Path, entries: int, processes: int = 2) -> None:
    """So many entries in an empty database, with tiles, a checkpoint and its anchor."""
    people = entries // EACH
    share = -(-people // processes // BLOCK) * BLOCK
    parts = [(first, min(share, people - first)) for first in range(0, people, share)]
    with tempfile.TemporaryDirectory() as place:
        files = [Path(place) / str(first) for first, _ in parts]
        environment = {**os.environ, "BENCH_DSN": dsn}
        running = [
            await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.ledger", str(first), str(count), str(file), env=environment)
            for (first, count), file in zip(parts, files, strict=True)
        ]
        if any(await asyncio.gather(*(one.wait() for one in running))):
            raise RuntimeError("writing the ledger failed")
        raw = b"".join(file.read_bytes() for file in files)
    await _close(dsn, folder, [raw[at : at + 32] for at in range(0, len(raw), 32)])


async def _close(dsn: str, folder: Path, hashes: list[bytes]) -> None:
    """Tiles, checkpoint and anchor over these leaf hashes."""
    own = keys.load(folder)
    tree, gained = grow(Edge(), hashes)
    tiles = rows_after({}, 0, gained)
    now = time.time_ns() // 1000
    note = sign(checkpoint_text(Checkpoint(own.ledger_name, tree.size, edge_root(tree))), own.ledger_name, own.ledger_key)
    connection = await asyncpg.connect(dsn)
    try:
        rows = [(0, level, n, row) for (level, n), row in tiles.items()]
        await connection.copy_records_to_table("log_tile", records=rows)
        await connection.copy_records_to_table("log_checkpoint", records=[(0, tree.size, edge_root(tree), note, now)])
        await connection.execute("VACUUM (ANALYZE) entry, log_entry, subject, log_tile", timeout=600)
    finally:
        await connection.close()
    await AnchorFolder.of(folder, own.ledger_name).keep(note, now)


if __name__ == "__main__":
    asyncio.run(_write(os.environ["BENCH_DSN"], int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
