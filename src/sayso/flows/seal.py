"""Seal: enters the hashes of logged verdict batches into the ledger, so that answers to checks are in the same trail."""

import hashlib
import json

from sayso.contracts.book import Act, Book, Judged, Key, Scene
from sayso.contracts.gatehouse import Gatehouse
from sayso.rules.entries import Entry
from sayso.rules.state import fold
from sayso.rules.statements import Row, Ruling

HUB = Key("hub", "hub", "hub")
"""The chain of facts about the hub itself: configuration changes and sealed verdict batches."""


async def seal(*, gatehouse: Gatehouse, book: Book, limit: int = 1_000) -> int:
    """How many verdicts were sealed by one ledger entry: SHA-256 over the batches' hashes in the order of their ids.

    A crash between entry and mark seals the same batches once more, which proves them twice and harms nothing.
    """
    waiting = sorted(await gatehouse.unsealed(limit), key=lambda batch: batch.id)
    if not waiting:
        return 0
    digest = hashlib.sha256(b"".join(batch.hash for batch in waiting)).hexdigest()
    count = sum(batch.count for batch in waiting)

    def judge(scene: Scene) -> Judged:
        sub = scene.page.keys[HUB]
        row = scene.page.rows[sub]
        at = max(scene.now, row.state.last_at + 1)
        entry = Entry(
            id=scene.new_id(sub), sub=sub, kind="seal", at=at, ts=at, act="verdicts", src="manual", by="hub", via="worker",
            effect="stored", x=(("count", count), ("batches", len(waiting)), ("hash", digest)),
        )  # fmt: skip
        return Judged(Ruling((entry,), {sub: Row(row.sub, row.kind, fold(row.state, entry))}, ()))

    written = await book.write(Act((HUB,), judge, json.dumps({"from": waiting[0].id, "to": waiting[-1].id})))
    assert written.ruling is not None  # a seal carries no key and no event id, so it is always written
    await gatehouse.sealed(waiting, written.ruling.entries[0].id)
    return count
