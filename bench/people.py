"""A population for measurements, written straight into the tables: half a minute for a million people instead of half an hour.

Rows hold what a check reads (ids, pseudonyms, states); what it never opens (names, data keys) is random bytes. The ledger knows
nothing of these people, so figures about the ledger make people of their own through the front door.
"""

import asyncio
import os
import random
import sys
import time
from collections.abc import Iterator

import asyncpg

from sayso.rules.subjects import subject_id

COLUMNS = ("shard", "id", "kind", "pseudonym", "sealed", "version", "length", "head", "last_at", "state")
CHUNK = 20_000


def contact_of(n: int) -> str:
    """The contact id of the n-th person."""
    return f"c-{n}"


def address_of(n: int) -> str:
    """The e-mail address of the n-th person."""
    return f"p{n}@example.com"


def rows(pepper: bytes, first: int, count: int, now: int) -> Iterator[tuple[object, ...]]:
    """Two subject rows a person: the contact, with a choice for two in three, and the address it is linked to."""
    chance = random.Random(first)
    for n in range(first, first + count):
        ids = [subject_id(pepper, "contact", contact_of(n)), subject_id(pepper, "email", address_of(n))]
        subs = [bytes([one[0]]) + chance.randbytes(15) for one in ids]
        entry = f"01a20000-0000-7000-8000-{n:012x}"
        said = ""
        if n % 3:
            out = int(n % 3 == 1)
            left = '"l":[["*","email","promotional"]],' if out else ""
            said = f',"r":[["*","email","promotional","p:{subs[0].hex()}","",{now},{out},"{entry}",1,"explicit","preference_center"]]'
            contact = f'{{"k":{{"{subs[1].hex()}":["email",{now},"{entry}"]}},{left}{said[1:]}}}'
        else:
            contact = f'{{"k":{{"{subs[1].hex()}":["email",{now},"{entry}"]}}}}'
        address = f'{{"k":{{"{subs[0].hex()}":["contact",0,"{entry}"]}}}}'
        sealed = chance.randbytes(44)
        for kind, one, sub, state in (("contact", ids[0], subs[0], contact), ("email", ids[1], subs[1], address)):
            yield one[0], one, kind, sub, sealed, 2, 2, b"\0" * 32, now, state.encode()


async def fill(dsn: str, pepper: bytes, first: int, count: int) -> None:
    """Writes the people first … first + count - 1."""
    connection = await asyncpg.connect(dsn)
    now = time.time_ns() // 1000 - 86_400_000_000
    try:
        await connection.execute("SET synchronous_commit = off")
        for start in range(first, first + count, CHUNK):
            batch = list(rows(pepper, start, min(CHUNK, first + count - start), now))
            await connection.copy_records_to_table("subject", records=batch, columns=COLUMNS)
    finally:
        await connection.close()


async def fill_in_parallel(dsn: str, pepper: bytes, first: int, count: int, processes: int = 2) -> None:
    """The same, with several processes at once; then the statistics are brought up to date."""
    share = -(-count // processes)
    parts = [(first + n * share, min(share, count - n * share)) for n in range(processes) if n * share < count]
    running = [
        await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.people", str(a), str(n), env={**os.environ, "BENCH_DSN": dsn, "BENCH_PEPPER": pepper.hex()})
        for a, n in parts
    ]  # fmt: skip
    codes = await asyncio.gather(*(one.wait() for one in running))
    if any(codes):
        raise RuntimeError(f"filling failed: exit codes {codes}")
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("VACUUM (ANALYZE) subject", timeout=600)
    finally:
        await connection.close()


if __name__ == "__main__":
    asyncio.run(fill(os.environ["BENCH_DSN"], bytes.fromhex(os.environ["BENCH_PEPPER"]), int(sys.argv[1]), int(sys.argv[2])))
