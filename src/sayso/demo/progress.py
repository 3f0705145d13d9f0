"""Progress: a bar on a terminal, one JSON line every five seconds elsewhere."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

EVERY_SECONDS = 5.0


@contextmanager
def shown(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """What to call with how many more are done."""
    terminal = Console(stderr=True)
    if terminal.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=terminal) as bar:
            task = bar.add_task(title, total=total)
            yield lambda more: bar.advance(task, more)
        return
    yield _Lines(title, total)


class _Lines:
    """Counts, and writes a line when the last one is five seconds old."""

    def __init__(self, title: str, total: int) -> None:
        self.title, self.total, self.done, self.began = title, total, 0, time.monotonic()
        self.said_at = self.began

    def __call__(self, more: int) -> None:
        self.done += more
        now = time.monotonic()
        if now - self.said_at < EVERY_SECONDS:
            return
        self.said_at = now
        rate = self.done / max(0.001, now - self.began)
        line = {
            "doing": self.title,
            "done": self.done,
            "of": self.total,
            "per_second": round(rate),
            "seconds_left": round((self.total - self.done) / max(1.0, rate)),
        }
        sys.stderr.write(json.dumps(line) + "\n")
