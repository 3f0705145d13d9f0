"""A population for measurements: rows that the rules made for one person of each kind, cast for all others, written by COPY.

Every person is a contact with an e-mail address, linked both ways; one in three opted in, one in three opted out, one never chose. All
of it is in the ledger, whose tree, checkpoint and anchor are brought up to date: what was filled verifies.
"""

import asyncio
import os
import random
import sys
import time
from pathlib import Path

import asyncpg

from bench.ledger import choice, spread
from bench.moulds import Caster, Mould, sub_mark
from sayso import keys
from sayso.rules.entries import Entry
from sayso.rules.values import altered

BLOCK = 2_000
SAID = (2, 3, 3)
"""How many entries a person has: the n-th is of kind n % 3."""
BEFORE = 86_400_000_000
"""How long ago the first of them spoke, in microseconds."""


def contact_of(n: int) -> str:
    """The contact id of the n-th person."""
    return f"c-{n}"


def address_of(n: int) -> str:
    """The e-mail address of the n-th person."""
    return f"p{n}@example.com"


def moulds() -> tuple[Mould, ...]:
    """Whoever never chose, whoever opted out, whoever opted in."""
    speaker = Entry("", "", "link", 0, 0, "link", "preference_center", f"p:{sub_mark(0)}", "c:shop", own=True)
    links = [
        (0, altered(speaker, other=sub_mark(1), other_kind="email", primary=True)),
        (1, altered(speaker, other=sub_mark(0), other_kind="contact")),
    ]
    chosen = [[], [(0, choice(out=True))], [(0, choice(out=False))]]
    return tuple(Mould(["contact", "email"], [*links, *said]) for said in chosen)


def entries_before(n: int) -> int:
    """How many entries the people before the n-th have."""
    return n // 3 * sum(SAID) + sum(SAID[: n % 3])


async def fill(dsn: str, folder: Path, span: tuple[int, int], seq: int, file: Path) -> None:
    """Writes the people from the first of the span to before its end; their leaf hashes go to a file, their places begin at `seq`."""
    first, end = span
    kinds, now = moulds(), time.time_ns() // 1000 - BEFORE
    caster = Caster(keys.load(folder), random.Random(first), now + entries_before(first), seq)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SET synchronous_commit = off")
        for start in range(first, end, BLOCK):
            people = range(start, min(start + BLOCK, end))
            caster.cast([(kinds[n % 3], (contact_of(n), address_of(n)), f'{{"contact_id":"{contact_of(n)}"}}'.encode()) for n in people])
            await caster.copy(connection)
    finally:
        await connection.close()
    file.write_bytes(b"".join(caster.hashes))


async def fill_in_parallel(dsn: str, folder: Path, first: int, count: int, processes: int = 2) -> None:
    """The people from the first on, by several processes at once; then the log is closed over them, and statistics are brought up to date."""
    connection = await asyncpg.connect(dsn)
    try:
        size = int(await connection.fetchval("SELECT coalesce(max(seq) + 1, 0) FROM log_entry"))
    finally:
        await connection.close()
    bounds = [first + count * n // processes for n in range(processes + 1)]
    places = [size + entries_before(start) - entries_before(first) for start in bounds]
    await spread(dsn, folder, "bench.people", list(zip(bounds[:-1], bounds[1:], places[:-1], strict=True)))


def main() -> None:
    """One process: FIRST END SEQ FILE."""
    first, end, seq, file = sys.argv[1:]
    asyncio.run(fill(os.environ["BENCH_DSN"], Path(os.environ["BENCH_FOLDER"]), (int(first), int(end)), int(seq), Path(file)))


if __name__ == "__main__":
    main()
