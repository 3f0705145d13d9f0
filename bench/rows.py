"""Limits of writing: pgbench's single-row updates, and COPY of the rows that an opt-out writes."""

import asyncio
import os
import re
import tempfile
import time
import uuid
from urllib.parse import parse_qs, urlsplit

import asyncpg

from bench.hub import Bench
from sayso.store import embedded

ROWS = 5_000


async def pgbench(hub: Bench) -> float:
    """Updates of one row a second, by eight clients, on the same server with the same durability."""
    parts = urlsplit(hub.dsn)
    options = parse_qs(parts.query)
    environment = {
        **os.environ, "PGUSER": parts.username or "", "PGPASSWORD": parts.password or "", "PGDATABASE": parts.path.lstrip("/"),
        "PGHOST": options["host"][0], "PGPORT": options.get("port", ["5432"])[0],
    }  # fmt: skip
    connection = await asyncpg.connect(hub.dsn)
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS bench_row (id integer PRIMARY KEY, n integer NOT NULL)")
        await connection.execute("INSERT INTO bench_row SELECT g, 0 FROM generate_series(1, 100000) g ON CONFLICT DO NOTHING")
    finally:
        await connection.close()
    program = embedded.tools(hub.folder) / "pgbench"
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write("\\set id random(1, 100000)\nUPDATE bench_row SET n = n + 1 WHERE id = :id;\n")
        script.flush()
        run = await asyncio.create_subprocess_exec(
            str(program), "-n", "-c", "8", "-j", "1", "-T", "4", "-M", "prepared", "-f", script.name, env=environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said = (await run.communicate())[0].decode()
    found = re.search(r"tps = ([\d.]+)", said)
    if found is None:
        raise RuntimeError(f"pgbench did not measure anything:\n{said}")
    return float(found[1])


async def copy_rows(dsn: str) -> float:
    """Opt-outs a second if all there were to do was COPY their rows: subject, key, entry, detail and a place in the sequencer's queue."""
    tables = ("subject", "subject_key", "entry", "detail", "to_sequence")
    connection = await asyncpg.connect(dsn)
    try:
        for table in tables:
            await connection.execute(f"CREATE TEMPORARY TABLE copy_{table} (LIKE {table} INCLUDING ALL)")
        now = time.time_ns() // 1000
        leaf, state = os.urandom(520), os.urandom(150)
        ids = [(n % 256, uuid.uuid4(), os.urandom(32), os.urandom(16)) for n in range(ROWS)]
        rows: dict[str, list[tuple[object, ...]]] = {
            "subject": [(s, i, "contact", p, os.urandom(44), 1, 1, i, now, state) for s, _, i, p in ids],
            "subject_key": [(s, p, os.urandom(70)) for s, _, _, p in ids],
            "entry": [(s, e, p, 1, now, "choice", "choice", "*", "email", "promotional", "api", "applied", leaf) for s, e, _, p in ids],
            "detail": [(s, e, os.urandom(90)) for s, e, _, _ in ids],
            "to_sequence": [(s, now, e) for s, e, _, _ in ids],
        }
        start = time.perf_counter()
        async with connection.transaction():
            for table, records in rows.items():
                await connection.copy_records_to_table(f"copy_{table}", records=records)
        return ROWS / (time.perf_counter() - start)
    finally:
        await connection.close()
