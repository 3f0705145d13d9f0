"""Progress of long work, on stderr: a bar on a terminal, one JSON line every five seconds otherwise."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from sayso.commands.output import err, print_json

EVERY_SECONDS: Final = 5.0


class Tell(Protocol):
    """Told how far the work is: steps done and in all, and figures to show beside them."""

    def __call__(self, done: int, total: int, **figures: Any) -> None:
        """Shows it, if it is time to."""


@contextmanager
def progress(what: str) -> Iterator[Tell]:
    """Tells how far `what` is until the block ends."""
    if sys.stderr.isatty():
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[said]}"),
        )
        with Progress(*columns, console=err(), transient=True) as bar:
            task = bar.add_task(what, total=None, said="")

            def move(done: int, total: int, **figures: Any) -> None:
                said = "  ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in figures.items())
                bar.update(task, completed=done, total=total, said=said)

            yield move
        return
    yield _Lines(what)


class _Lines:
    def __init__(self, what: str) -> None:
        self._what, self._begun = what, time.monotonic()
        self._told = self._begun

    def __call__(self, done: int, total: int, **figures: Any) -> None:
        now = time.monotonic()
        if now - self._told < EVERY_SECONDS:
            return
        self._told = now
        left = round((now - self._begun) * (total - done) / done, 1) if done else None
        print_json({"progress": self._what, "done": done, "total": total, "eta_seconds": left, **figures}, to_stderr=True)
