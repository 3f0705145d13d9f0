"""Accepting a rollback: closes a log that is not as it was signed, and opens a new one that says so in its first leaf."""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from sayso.contracts.book import Act, Book, Judged, Key, Scene
from sayso.contracts.ground import Ground
from sayso.contracts.ledger import Anchor, LedgerDamaged, LedgerRolledBack, Log, Turn, origin_of
from sayso.flows.compare import opened
from sayso.rules.entries import Entry
from sayso.rules.merkle import EMPTY_ROOT, leaf_hash
from sayso.rules.notes import Checkpoint, VerifierKey
from sayso.rules.rollback import ACCEPTED, Rollback, rollback_extra
from sayso.rules.state import fold
from sayso.rules.statements import Row, Ruling
from sayso.rules.tiles import TileMissing, root_at, root_spans, tiles_needed

PAUSE = 0.05
TURNS = 200
"""How often the turn is asked for: a sequencer that has it gives it back within a fraction of a second."""
LOGS_MAX = 1_000


class NothingToAccept(Exception):
    """The log holds everything that was signed: there is no rollback."""


class LogBusy(Exception):
    """Another process has the log's turn all the time, or has just closed it. Try again."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The log that was closed, as the first leaf of the new one names it; the new log's number and origin; the leaf's entry id."""

    closed: Rollback
    log: int
    origin: str
    entry: str


async def accept_rollback(
    reason: str, caller: str, *, log: Log, anchor_of: Callable[[int], Anchor], key_of: Callable[[str], VerifierKey], name: str, book: Book,
    ground: Ground,
) -> Accepted:  # fmt: skip
    """What was closed and opened. From then on the newest log is believed again, and the next turn signs it.

    1. With the old log's turn: find what was signed and what is there. 2. Write the entry, with a chain of its own, so that it can be
    the first leaf whatever waits. 3. Close the old log and place that entry in the new one, in one transaction. A crash before the third
    step leaves an entry that says nothing about any log, and everything else as it was. `reason` is kept apart, encrypted.
    An origin that has signed anything before is never used again. Raises NothingToAccept, LogBusy, LedgerDamaged, Unavailable.
    """
    for _ in range(TURNS):
        async with log.turn() as turn:
            if turn is not None:
                found = await _found(turn, await anchor_of(log.log).kept(), key_of(origin_of(name, log.log)))
                if found.agreed == found.size and await log.stopped() is None:
                    raise NothingToAccept
                number = await _unused(log.log, anchor_of)
                entry = await _noted(found, number, origin_of(name, number), (reason, caller), book, ground)
                opening = await turn.entry(entry)
                assert opening is not None  # nobody else can have placed it: the turn is ours
                await turn.close(number, opening, {(0, 0): leaf_hash(opening.leaf)}, ground.clock())
                return Accepted(found, number, origin_of(name, number), str(entry))
        await asyncio.sleep(PAUSE)
    raise LogBusy


async def _found(turn: Turn, anchors: Sequence[str], key: VerifierKey) -> Rollback:
    """What was signed of this log, as far as anybody remembers it readably, and what the store holds of that."""
    signed = [Checkpoint(key.name, 0, EMPTY_ROOT)]
    for note in (*anchors, *(row.note for row in await turn.signed())):
        with suppress(LedgerRolledBack):
            checkpoint = opened(note, key)
            signed += [checkpoint] if checkpoint else []
    last = max(signed, key=lambda one: one.size)
    kept = await turn.size()
    agreed = 0
    for checkpoint in sorted(signed, key=lambda one: one.size, reverse=True):
        if checkpoint.size <= kept and await _root(turn, checkpoint.size) == checkpoint.root:
            agreed = checkpoint.size
            break
    return Rollback(key.name, last.size, last.root, kept, await _root(turn, kept), agreed)


async def _root(turn: Turn, size: int) -> bytes:
    tiles = await turn.tiles(tiles_needed(root_spans(size)))
    try:
        return root_at(size, lambda level, n: tiles.get((level, n), b""))
    except TileMissing as error:
        raise LedgerDamaged(str(error)) from error


async def _unused(log: int, anchor_of: Callable[[int], Anchor]) -> int:
    """The next log number whose origin never signed anything: the store may have been put back behind an earlier acceptance."""
    for number in range(log + 1, log + LOGS_MAX):
        if await anchor_of(number).last() is None:
            return number
    raise LedgerDamaged(f"{LOGS_MAX} origins after log {log} have signed something already")


async def _noted(found: Rollback, number: int, origin: str, said: tuple[str, str], book: Book, ground: Ground) -> UUID:
    """The entry that names the closed log, in the chain of the new log's opening."""
    reason, caller = said
    chain = Key("hub", f"log {number} {ground.chance(8).hex()}", origin)

    def judge(scene: Scene) -> Judged:
        sub = scene.page.keys[chain]
        row = scene.page.rows[sub]
        entry = Entry(
            id=scene.new_id(sub), sub=sub, kind="config", at=scene.now, ts=scene.now, act=ACCEPTED, src="manual", by=caller, via=caller,
            effect="stored", x=rollback_extra(found),
        )  # fmt: skip
        return Judged(Ruling((entry,), {sub: Row(row.sub, row.kind, fold(row.state, entry))}, ()))

    written = await book.write(Act((chain,), judge, json.dumps({"reason": reason}, ensure_ascii=False)))
    assert written.ruling is not None  # it carries no key and no event id, so it is always written
    return UUID(written.ruling.entries[0].id)
