"""Crews: processes of our own beside this one, each with one task, for work that one processor alone would take long for.

Such a process is `python -m` a module that calls `toil`: its task comes in on one line, reports go out line by line. It has
connections of its own; what it may see is named in its task.
"""

import asyncio
import gc
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import msgspec
import uvloop

from sayso.contracts.book import Unavailable
from sayso.contracts.ledger import ALL_SHARDS

Task = TypeVar("Task", bound=msgspec.Struct)
Found = TypeVar("Found")
Say = Callable[[int], None]

WORTH_IT: Final = 50_000
"""Entries below which starting processes takes longer than they save."""
LINE_BYTES: Final = 1 << 24
STANDS_BACK: Final = 5
"""How much nicer such a process is than the one that started it: whoever asks or opts out meanwhile goes first."""


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """How much a process is done with, and at the end what it found, as JSON, or why it could not look."""

    done: int = 0
    found: msgspec.Raw = msgspec.Raw()
    unavailable: str = ""


def parts_of(entries: int, processes: int | None = None) -> list[range]:
    """The shards for each process, of a store with so many entries; none where one process alone is as quick."""
    count = processes or os.cpu_count() or 1
    if count < 2 or (processes is None and entries < WORTH_IT):
        return []
    # One part a process: each reads all of a table to find its shards.
    return [ALL_SHARDS[len(ALL_SHARDS) * n // count : len(ALL_SHARDS) * (n + 1) // count] for n in range(count)]


async def share(module: str, tasks: Sequence[msgspec.Struct], kind: type[Found], tell: Say = lambda _done: None) -> list[Found]:
    """What the processes found, one for each task, in the order of the tasks. `tell` hears how much all of them are done with.

    Raises Unavailable where one cannot go on; then, and when the caller is cancelled, all of them are ended.
    """
    done = [0] * len(tasks)
    running: list[Process] = []

    async def work(n: int, process: Process) -> Found:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(msgspec.json.encode(tasks[n]) + b"\n")
        while not (report := _read(await process.stdout.readline())).found:
            done[n] = report.done
            tell(sum(done))
        return msgspec.json.decode(report.found, type=kind)

    try:
        for _ in tasks:
            running.append(await asyncio.create_subprocess_exec(sys.executable, "-m", module, stdin=PIPE, stdout=PIPE, limit=LINE_BYTES))
        return await asyncio.gather(*(work(n, process) for n, process in enumerate(running)))
    finally:
        for process in running:
            if process.returncode is None:
                process.kill()
            await process.wait()


def _read(line: bytes) -> Report:
    report = msgspec.json.decode(line, type=Report) if line else Report(unavailable="a process that helped ended before it was done")
    if report.unavailable:
        raise Unavailable(report.unavailable)
    return report


def toil(task: type[Task], work: Callable[[Task, Say], Awaitable[Any]]) -> None:
    """Runs one such process: `work` on the task that came in, told to the one who waits for it. The keyboard does not stop it; its parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    given = msgspec.json.decode(sys.stdin.readline(), type=task)
    os.nice(STANDS_BACK)

    async def whole() -> Any:
        return await work(given, lambda done: _say(Report(done)))

    try:
        with uncollected():
            _say(Report(found=msgspec.Raw(msgspec.json.encode(uvloop.run(whole())))))
    except (Unavailable, OSError) as failure:
        _say(Report(unavailable=str(failure)))


def _say(report: Report) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    sys.stdout.buffer.flush()


@contextmanager
def uncollected() -> Iterator[None]:
    """No look for cycles among objects until the block ends: for work that makes millions of them and no cycles."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
