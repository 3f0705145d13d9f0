"""Note config: enters a change of the hub's configuration into the ledger, on the hub's own chain."""

import json
from collections.abc import Mapping
from typing import Any, Final

from sayso.contracts.book import Act, Book, Judged, Key, Scene
from sayso.contracts.ground import Ground
from sayso.rules.entries import Entry
from sayso.rules.state import fold
from sayso.rules.statements import Row, Ruling

HUB: Final = Key("hub", "hub", "hub")
"""The chain of facts about the hub itself."""


async def note_config(act: str, detail: Mapping[str, Any], caller: str, *, book: Book, ground: Ground) -> str:
    """The id of the entry that keeps who changed what: `act` in past tense (`client_created`), `caller` as the ledger names them.

    `detail` is kept apart from the leaf, encrypted; secrets have no place in it. Raises Unavailable.
    """

    def judge(scene: Scene) -> Judged:
        sub = scene.page.keys[HUB]
        row = scene.page.rows[sub]
        at = max(scene.now, row.state.last_at + 1)
        entry = Entry(
            id=scene.new_id(sub), sub=sub, kind="config", at=at, ts=at, act=act, src="manual", by=caller, via=caller, effect="stored"
        )
        return Judged(Ruling((entry,), {sub: Row(row.sub, row.kind, fold(row.state, entry))}, ()))

    kept = json.dumps({name: value for name, value in detail.items() if value is not None}, sort_keys=True, ensure_ascii=False)
    written = await book.write(Act((HUB,), judge, kept))
    assert written.ruling is not None  # it carries no key and no event id, so it is always written
    return written.ruling.entries[0].id
