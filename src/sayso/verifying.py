"""Verifying chains with every processor there is: shards are independent, so each process takes some at a time. Changes nothing.

All processes read the snapshot that the audit they help reads; each has a connection of its own, and the keys that open details.
`python -m sayso.verifying` is such a process: a task comes in on one line, reports go out line by line.
"""

import asyncio
import gc
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import msgspec
import uvloop

from sayso import keys
from sayso.contracts.book import Unavailable
from sayso.contracts.ledger import ALL_SHARDS
from sayso.contracts.verified import Verified
from sayso.flows.verify import Chains
from sayso.flows.verify_chains import verify_chains
from sayso.store.ledger import PostgresAudit, PostgresLog
from sayso.store.pool import open_pool
from sayso.store.vault import Vault

WORTH_IT: Final = 50_000
"""Entries below which starting processes takes longer than they save."""
LINE_BYTES: Final = 1 << 24


class Task(msgspec.Struct, frozen=True):
    """What a process checks: shards of the store at this DSN, with the keys of this folder, in a snapshot, of a log and its size."""

    dsn: str
    folder: str
    snapshot: str
    log: int
    size: int
    first: int
    upto: int


class Report(msgspec.Struct, frozen=True):
    """How many entries a process is done with, and at the end what it found, or why it could not look."""

    done: int = 0
    found: Verified | None = None
    unavailable: str = ""


@asynccontextmanager
async def crew(audit: PostgresAudit, dsn: str, folder: Path, *, processes: int | None = None) -> AsyncIterator[Chains | None]:
    """What checks the chains of this audit's ledger with several processes, until the block ends; None where one alone is as quick."""
    count = processes or os.cpu_count() or 1
    _, entries = await audit.counts()
    if count < 2 or (processes is None and entries < WORTH_IT):
        yield None
        return
    snapshot = await audit.snapshot()
    running: list[Process] = []

    async def chains(log: int, size: int, tell: Callable[[int], None]) -> Verified:
        done, found = [0] * count, Verified()

        async def work(n: int, process: Process) -> None:
            assert process.stdin is not None
            assert process.stdout is not None
            # One read a process: each reads all of the table to find its shards.
            first, upto = (len(ALL_SHARDS) * end // count for end in (n, n + 1))
            process.stdin.write(msgspec.json.encode(Task(dsn, str(folder), snapshot, log, size, first, upto)) + b"\n")
            while (report := _read(await process.stdout.readline())).found is None:
                done[n] = report.done
                tell(sum(done))
            found.take(report.found)

        for _ in range(count):
            command = (sys.executable, "-m", "sayso.verifying")
            running.append(await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, limit=LINE_BYTES))
        await asyncio.gather(*(work(n, process) for n, process in enumerate(running)))
        return found

    try:
        yield chains
    finally:
        for process in running:
            if process.returncode is None:
                process.kill()
            await process.wait()


def _read(line: bytes) -> Report:
    """What a process reports. Raises Unavailable where it cannot go on."""
    report = msgspec.json.decode(line, type=Report) if line else Report(unavailable="a process that verified ended before it was done")
    if report.unavailable:
        raise Unavailable(report.unavailable)
    return report


@contextmanager
def uncollected() -> Iterator[None]:
    """No look for cycles among objects until the block ends: verifying makes millions of them and no cycles."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def _checked(task: Task) -> Verified:
    pool = await open_pool(task.dsn, size=1, application="sayso verify")
    ring = keys.load(Path(task.folder)).kek_ring
    vault = Vault(ring.secrets, ring.current, os.urandom)
    async with PostgresLog(pool, task.log).audit(task.snapshot) as audit:
        return await verify_chains(
            audit=audit, size=task.size, details=audit.details(vault), progress=lambda done: _say(Report(done)),
            shards=range(task.first, task.upto),
        )  # fmt: skip


def _say(report: Report) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """One process: it is stopped by the one that started it, not by the keyboard."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    task = msgspec.json.decode(sys.stdin.readline(), type=Task)
    try:
        with uncollected():
            _say(Report(found=uvloop.run(_checked(task))))
    except Unavailable as failure:
        _say(Report(unavailable=str(failure)))


if __name__ == "__main__":
    main()
