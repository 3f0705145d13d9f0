"""The figures: each measures the hub and its limit in turn, in the same run, three times over."""

import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from statistics import median

import asyncpg

from bench import load
from bench.homemade import PATH, TABLES
from bench.hub import Bench, free_port
from bench.line import lines
from bench.people import address_of, contact_of
from bench.rows import copy_rows, pgbench

ROUNDS = 3
ANSWER_BYTES = 620
CONNECTIONS = 64
IMPORTED = 200_000
HOMEMADE_PEOPLE = """
INSERT INTO homemade_contact SELECT 'c-' || n, 'p' || n || '@example.com', false FROM generate_series(0, {people} - 1) n;
INSERT INTO homemade_preference SELECT 'c-' || n, 'email', 'promotional', CASE n % 3 WHEN 1 THEN 'opted_out' ELSE 'opted_in' END
FROM generate_series(0, {people} - 1) n WHERE n % 3 > 0;
"""
"""The people of bench/people.py, who said the same."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `ratio` is ours ÷ limit of each round, or the plain value where `limit` is empty."""

    name: str
    limit: str
    least: str
    aim: str
    unit: str
    ours: list[float]
    beside: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """Ours ÷ limit, round by round."""
        return [a / b for a, b in zip(self.ours, self.beside, strict=True)] if self.beside else self.ours

    def as_json(self) -> dict[str, object]:
        """The figure for machines."""
        return {
            "name": self.name, "limit": self.limit, "least": self.least, "aim": self.aim, "unit": self.unit,
            "ours": self.ours, "beside": self.beside, "median": median(self.ratios), "lowest": min(self.ratios), "highest": max(self.ratios),
        }  # fmt: skip


async def in_turn(*measured: Callable[[], Awaitable[float]]) -> list[list[float]]:
    """What each gave, all measured in turn, round by round, so that a machine that slows down slows all."""
    found: list[list[float]] = [[] for _ in measured]
    for _ in range(ROUNDS):
        for values, measure in zip(found, measured, strict=True):
            values.append(await measure())
    return found


@asynccontextmanager
async def peer(*arguments: str) -> AsyncIterator[int]:
    """One of bench.peers on a free port, until the block ends."""
    port = free_port()
    kind, *rest = arguments
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.peers", kind, str(port), *rest)
    try:
        for _ in range(300):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            except OSError:
                await asyncio.sleep(0.1)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def single_checks(hub: Bench, people: int) -> list[Figure]:
    """Single checks over HTTP beside a raw echo, and beside the home-made way."""

    def asked(port: int) -> Callable[[], Awaitable[float]]:
        return lambda: load.throughput(port, PATH, token=hub.token, people=people, connections=CONNECTIONS)

    await _homemade_people(hub, people)
    async with peer("echo", str(ANSWER_BYTES)) as echo_at, peer("usual", hub.dsn) as usual_at, peer("lean", hub.dsn) as lean_at:
        ours, echo, usual, lean = await in_turn(*map(asked, (hub.port, echo_at, usual_at, lean_at)))
    name = "single checks/s over HTTP, one process, 64 connections, strong and logged"
    way = "FastAPI + SQLAlchemy ORM + PostgreSQL, no log"
    return [
        Figure(name, "raw ASGI echo of the same bytes", "0.25", "0.4", "×", ours, echo),
        Figure("the same", f"{way}: caller, contact or address, choices", "8", "14", "×", ours, usual),
        Figure("the same", f"{way}: one row by its key, no caller", "–", "–", "×", ours, lean),
    ]


async def _homemade_people(hub: Bench, people: int) -> None:
    """The tables of the home-made way: the same people, who said the same, and the same caller."""
    connection = await asyncpg.connect(hub.dsn)
    try:
        await connection.execute(TABLES)
        if not await connection.fetchval("SELECT count(*) FROM homemade_client"):
            await connection.execute(HOMEMADE_PEOPLE.format(people=people), timeout=300)
            token_hash = sha256(hub.token.encode()).hexdigest()
            await connection.execute("INSERT INTO homemade_client VALUES ($1, 'bench')", token_hash)
            await connection.execute("VACUUM (ANALYZE) homemade_contact, homemade_preference", timeout=300)
    finally:
        await connection.close()


async def batch_checks(hub: Bench, people: int) -> list[Figure]:
    """Batches of 1,000 checks beside plain look-ups of 1,000 keys."""
    chance = random.Random(3)

    async def ours() -> float:
        bodies = [
            json.dumps(
                {
                    "defaults": {"channel": "email", "category": "promotional", "country": "US"},
                    "items": [{"contact_id": contact_of(n), "address": address_of(n)} for n in chance.sample(range(people), 1000)],
                }
            )
            for _ in range(12)
        ]
        async with lines(hub.port, hub.token) as line:
            start = time.perf_counter()
            answers = [await line.post("/api/v2/send_checks:batch", body.encode()) for body in bodies]
            seconds = time.perf_counter() - start
        if any(status != 200 or len(json.loads(raw)["items"]) != 1000 for status, raw in answers):
            raise RuntimeError("a batch was not answered whole")
        return 12_000 / seconds

    connection = await asyncpg.connect(hub.dsn)
    ids = [row["id"] for row in await connection.fetch("SELECT id FROM subject LIMIT 20000")]

    async def beside() -> float:
        start = time.perf_counter()
        for _ in range(12):
            await connection.fetch("SELECT * FROM subject WHERE id = ANY($1) AND shard = ANY($2)", *_keys(chance.sample(ids, 1000)))
        return 12_000 / (time.perf_counter() - start)

    try:
        name, limit = "batch checks/s, 1,000 a request, logged", "asyncpg = ANY look-ups of 1,000 keys"
        return [Figure(name, limit, "0.08", "0.2", "×", *await in_turn(ours, beside))]
    finally:
        await connection.close()


def _keys(ids: list[bytes]) -> tuple[list[bytes], list[int]]:
    return ids, sorted({one[0] for one in ids})


async def opt_outs(hub: Bench) -> list[Figure]:
    """Durable opt-outs one by one beside pgbench's single-row updates, and in batches beside COPY of the rows they write.

    The hub has as many web processes as there are processors, as pgbench's eight clients have a process of the server each.
    """
    counter = iter(range(1_000_000_000))

    async def singles() -> float:
        seed = next(counter)
        return await load.throughput(
            hub.port, load.OPT_OUT_PATH, token=hub.token, people=load.NEWCOMERS, body=load.OPT_OUT, connections=CONNECTIONS, seed=seed
        )

    async def batches() -> float:
        bodies = [
            json.dumps({"items": [{"contact_id": f"s-{next(counter)}", "email_pref_promotional": "opted_out"} for _ in range(1000)]})
            for _ in range(3)
        ]
        async with lines(hub.port, hub.token) as line:
            start = time.perf_counter()
            for body in bodies:
                status, _ = await line.post("/api/v2/email_preferences:batch", body.encode())
                if status != 200:
                    raise RuntimeError(f"a batch was answered {status}")
            return 3_000 / (time.perf_counter() - start)

    await singles()  # until connections are open and pages are read
    one = await in_turn(singles, lambda: pgbench(hub))
    many = await in_turn(batches, lambda: copy_rows(hub.dsn))
    return [
        Figure(
            "durable opt-outs/s over HTTP, 64 connections, a web process per processor",
            "pgbench single-row update, 8 clients",
            "0.25",
            "0.5",
            "×",
            *one,
        ),
        Figure("durable opt-outs/s in batches of 1,000", "COPY of all the rows they write", "0.05", "0.2", "×", *many),
    ]


async def latency(hub: Bench, people: int) -> list[Figure]:
    """p99 of a check at a steady 1,000 a second while `sayso import` brings in a list, how many rows that keeps meanwhile, and p99 without it."""

    async def p99(seconds: int = 4) -> float:
        return load.percentile(await load.latencies(hub.port, token=hub.token, people=people, per_second=1000, seconds=seconds), 0.99)

    connection = await asyncpg.connect(hub.dsn)
    taken, kept = [], []
    try:
        await p99(1)  # until connections are open
        alone = [await p99(2) for _ in range(ROUNDS)]
        async with importing(hub):
            for _ in range(ROUNDS):
                before, start = await _written(connection), time.perf_counter()
                taken.append(await p99())
                kept.append((await _written(connection) - before) / (time.perf_counter() - start))
    finally:
        await connection.close()
    return [
        Figure("p99 of a check at 1,000/s while a list is imported", "", "20 ms", "5 ms", "ms", taken),
        Figure("the same without an import: what this machine takes for itself", "", "–", "–", "ms", alone),
        Figure("rows/s imported meanwhile; an import gives way to checks", "", "–", "5,000", "rows/s", kept),
    ]


async def _written(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
    found: int = await connection.fetchval("SELECT count(*) FROM entry WHERE src = 'import' AND category = 'promotional'")
    return found


@asynccontextmanager
async def importing(hub: Bench) -> AsyncIterator[None]:
    """An import of a list that is longer than anybody measures, from its first kept row until the block ends."""
    with tempfile.NamedTemporaryFile("w", suffix=".csv", prefix=f"list-{time.time_ns()}-") as file:
        file.write("email,category\n")
        file.writelines(f"{Path(file.name).stem}-{n}@example.com,promotional\n" for n in range(IMPORTED))
        file.flush()
        environment = {**os.environ, "SAYSO_DATA_DIR": str(hub.folder)}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sayso", "import", file.name, "--opt-outs", "--json", env=environment,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stderr is not None  # asked for above
        drain = asyncio.create_task(process.stderr.read())
        connection = await asyncpg.connect(hub.dsn)
        try:
            before = await _written(connection)
            for _ in range(600):
                if await _written(connection) > before or process.returncode is not None:
                    break
                await asyncio.sleep(0.1)
            yield
            if process.returncode is not None:
                raise RuntimeError(f"the import ended while it was measured beside: {(await drain).decode()[-400:]}")
        finally:
            await connection.close()
            if process.returncode is None:
                process.terminate()
            await process.wait()
