"""Examine: how a hub is, seen from inside: ledger, anchor, worker, connections. Changes nothing."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from sayso.contracts.ledger import Anchor, LogReader, Signed
from sayso.contracts.spokes import Accuracy, Connection, Spokes
from sayso.rules.notes import Checkpoint, NoteMalformed, NoteRefused, VerifierKey, open_checkpoint
from sayso.rules.times import SECOND

Level = Literal["ok", "warn", "fail"]
LATE: Final = 10 * SECOND
"""An entry that waits longer for its place in the log than this has no worker."""
BEHIND: Final = 60 * SECOND
"""A connection that is further behind than this is named."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: how it is, in a sentence, and the command (or deed) that mends it."""

    name: str
    level: Level
    detail: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Queue:
    """Entries that have no place in the log yet: how many, and when the oldest was received (None: there is none)."""

    waiting: int
    oldest: int | None


async def examine(
    *, log: LogReader, anchor: Anchor, key: VerifierKey, queue: Queue, spokes: Spokes, connectors: Collection[str], now: int
) -> list[Finding]:
    """The findings, in the order of reading. `now` is the database's clock. Raises Unavailable."""
    signed = await log.newest()
    far = {one.connection: one for one in await spokes.accuracy()}
    return [
        _worker(queue, now),
        *_ledger(signed, await anchor.last(), key, queue),
        *(_connection(one, far.get(one.id), connectors) for one in await spokes.connections()),
    ]


def _worker(queue: Queue, now: int) -> Finding:
    if queue.oldest is None:
        return Finding("worker", "ok", "every entry has its place in the log")
    age = now - queue.oldest
    detail = f"{queue.waiting:,} entries wait for their place in the log, the oldest for {age / SECOND:.0f} s"
    return Finding("worker", "fail", detail, "sayso worker") if age > LATE else Finding("worker", "ok", detail)


def _ledger(signed: Signed | None, noted: str | None, key: VerifierKey, queue: Queue) -> list[Finding]:
    """Whether the newest checkpoint is signed by this hub's key, and agrees with the one kept outside the database."""
    if signed is None:
        if noted is not None:
            return [Finding("anchor", "fail", "a checkpoint was signed once, and the database holds none: it was put back or emptied",
                            "restore the newest backup, or sayso accept-rollback")]  # fmt: skip
        level: Level = "warn" if queue.waiting else "ok"
        return [Finding("ledger", level, "nothing was signed yet", "sayso worker" if queue.waiting else "")]
    opened = _opened(signed.note, key)
    if opened is None or (opened.size, opened.root) != (signed.size, signed.root):
        return [Finding("ledger", "fail", f"the checkpoint of size {signed.size:,} is not signed by this hub's key", "sayso verify")]
    ledger = Finding("ledger", "ok", f"{signed.size:,} entries signed")
    kept = _opened(noted, key) if noted is not None else None
    if kept is None:
        return [
            ledger,
            Finding("anchor", "fail" if noted else "warn", "there is no readable checkpoint outside the database", "sayso verify"),
        ]
    if kept.size > signed.size or (kept.size == signed.size and kept.root != signed.root):
        what = f"the checkpoint of size {kept.size:,} kept outside the database contradicts the database's ({signed.size:,})"
        return [
            ledger,
            Finding("anchor", "fail", what, "sayso verify names what differs; restore the newest backup, or sayso accept-rollback"),
        ]
    return [ledger, Finding("anchor", "ok", f"the newest checkpoint outside the database has size {kept.size:,}")]


def _opened(note: str, key: VerifierKey) -> Checkpoint | None:
    try:
        return open_checkpoint(note.encode(), key)
    except (NoteMalformed, NoteRefused):
        return None


def _connection(one: Connection, far: Accuracy | None, connectors: Collection[str]) -> Finding:
    name = f"connection {one.name}"
    if one.connector not in connectors:
        return Finding(name, "fail", f"the connector {one.connector} is not installed", "sayso connector list")
    if one.state == "disabled":
        return Finding(name, "fail", f"disabled: {one.cause or 'no reason was kept'}", f"sayso connection check {one.id}")
    if one.state == "paused":
        return Finding(name, "warn", "paused: nothing is told", f"POST /api/v2/connections/{one.id}/resume")
    if far is None or far.in_sync == far.pairs:
        return Finding(name, "ok", f"in sync about {far.pairs if far else 0:,} subjects")
    detail = f"{far.pairs - far.in_sync:,} of {far.pairs:,} subjects are not in sync, the oldest for {far.oldest_lag / SECOND:.0f} s"
    return Finding(name, "warn" if far.oldest_lag > BEHIND else "ok", detail, f"sayso connection check {one.id}")
