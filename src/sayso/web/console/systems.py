"""How the connected systems are: whether they answer, what they acknowledged last, and how far they are with one person."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sayso.contracts.spokes import Accuracy, Connection, Told
from sayso.rules.times import SECOND
from sayso.web.console.parts import Console

BEHIND: Final = 60 * SECOND
"""From this age on of something untold a system is called behind."""
ACKNOWLEDGED: Final = frozenset({"applied", "already_so"})


@dataclass(frozen=True, slots=True)
class System:
    """One connected system. `tone` is go, wait or stop, `word` says the same; times in microseconds, `lag` of the oldest untold change."""

    name: str
    title: str
    about: str
    tone: str
    word: str
    why: str
    pairs: int
    in_sync: int
    lag: int
    last_at: int | None
    last_ms: int | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one system is with one person. `milliseconds` from the change to the acknowledgement, None where it held it before."""

    name: str
    title: str
    tone: str
    word: str
    milliseconds: int | None
    at: int | None
    why: str


async def systems(console: Console) -> list[System]:
    """Every system, oldest first."""
    accuracy = {one.connection: one for one in await console.systems.accuracy()}
    shown = []
    for connection in await console.systems.connections():
        attempts = await console.systems.deliveries(connection.id, before="", limit=5)
        last = next((one for one in attempts if ACKNOWLEDGED.issuperset(one.outcome.split(","))), None)
        count = accuracy.get(connection.id, Accuracy(connection.id, 0, 0, 0))
        tone, word, why = _health(connection, count)
        shown.append(System(
            connection.name, _title(connection, console), connection.description, tone, word, why, count.pairs, count.in_sync, count.oldest_lag,
            last.at + last.milliseconds * 1000 if last else None, last.milliseconds if last else None,
        ))  # fmt: skip
    return shown


def _health(connection: Connection, count: Accuracy) -> tuple[str, str, str]:
    if connection.state != "active":
        return "stop", connection.state, connection.cause or ""
    waiting = count.pairs - count.in_sync
    if waiting and count.oldest_lag > BEHIND:
        return "stop", "behind", f"{waiting:,} people wait to be told"
    if waiting:
        return "wait", "catching up", f"{waiting:,} on the way"
    return "go", "healthy", ""


def _title(connection: Connection, console: Console) -> str:
    about = console.abouts.get(connection.connector)
    return about.title if about else connection.connector


async def progress_of(subs: Sequence[str], console: Console, *, said_by: str = "") -> list[Progress]:
    """How far every system is with one person, all of their addresses taken together; `said_by` is where their newest word came from."""
    told = await console.systems.told(subs)
    return [
        _progress(one, [row for row in told if row.connection == one.id], console, said_it=str(one.id) == said_by)
        for one in await console.systems.connections()
    ]


def _progress(connection: Connection, rows: Sequence[Told], console: Console, *, said_it: bool) -> Progress:
    title = _title(connection, console)
    if not rows:
        return Progress(connection.name, title, "still", "not concerned", None, None, "")
    open_rows = [row for row in rows if row.acknowledged < row.wanted]
    if open_rows:
        parked = next((row for row in open_rows if row.parked), None)
        tried = max(row.attempts for row in open_rows)
        if parked is not None:
            return Progress(connection.name, title, "stop", "cannot be told", None, None, parked.cause or "")
        word = "on its way" if not tried else f"tried {tried}×, tries again"
        return Progress(connection.name, title, "wait", word, None, None, next((row.cause for row in open_rows if row.cause), "") or "")
    if said_it:
        return Progress(connection.name, title, "go", "said it", None, None, "the newest word came from here")
    measured = [row for row in rows if row.acknowledged_at is not None]
    if not measured:
        return Progress(connection.name, title, "go", "in step", None, None, "held it when it was connected")
    latest = max(measured, key=lambda row: row.acknowledged_at or 0)
    at = latest.acknowledged_at or 0
    return Progress(connection.name, title, "go", "acknowledged", max(0, at - latest.wanted_at) // 1000, at, "")
