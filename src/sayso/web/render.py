"""How answers look on the wire: documents after a write, what still blocks, receipts, JSON as bytes."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import Response

from sayso.contracts.book import Shown
from sayso.contracts.ground import Ground
from sayso.flows.record import Recorded
from sayso.flows.show import Blocker, Seen, blockers, seen
from sayso.rules.statements import Choose, Told
from sayso.rules.times import format_time
from sayso.rules.tokens import Ring, pack, sign
from sayso.rules.words import Scope
from sayso.web.api.wanted import GLOBAL, Asked, Wanted

NAMED_IN_TOKEN: Final = 64
"""How many entries a receipt's token names one by one; a hash binds all of them."""


def json_bytes(body: Any) -> bytes:
    """Compact UTF-8 JSON."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def json_answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON that nobody may keep."""
    return Response(json_bytes(body), status, {"Cache-Control": "no-store", **(headers or {})}, media_type="application/json")


def etag(version: int) -> dict[str, str]:
    """The header that names a version."""
    return {"ETag": f'"{version}"'}


def scope_shown(scope: Scope) -> dict[str, str]:
    """A scope as the wire shows it."""
    return {"brand": scope.brand, "channel": scope.channel, "category": scope.category}


def blockers_shown(found: Sequence[Blocker]) -> list[dict[str, Any]]:
    """What still denies, as the wire shows it."""
    return [
        {"subject": one.subject, "scope": scope_shown(one.scope), "since": format_time(one.since), "entry": one.entry, "code": one.code}
        for one in found
    ]


def document_after(done: Recorded, brand: str | None, ground: Ground) -> Seen:
    """The document of the subject of a write, as the write left it."""
    assert done.about is not None  # whoever writes asks for one subject at least
    return seen(done.about, done.page, done.shown or Shown({}, {}), brand=brand, ground=ground, now=done.now)


def written(done: Recorded, wanted: Wanted, ground: Ground, ring: Ring) -> dict[str, Any]:
    """The answer to a preferences write: the document, what each field became, what still blocks, the receipt."""
    after = document_after(done, wanted.brand, ground)
    told = {one.word.field: one for one in done.ruling.told if isinstance(one.word, Choose)} if done.ruling else {}
    result = [_result(asked, told.get(asked.field), after.document) for asked in wanted.asked]
    still: dict[str, Blocker] = {}
    for asked in wanted.asked:
        if asked.asked in (False, "opted_in"):
            linked = done.page.linked(after.row)
            for one in blockers(after.row, linked, asked.scope, now=done.now, window=ground.window):
                still.setdefault(one.entry, one)
    entries = [entry.id for entry in done.ruling.entries] if done.ruling else []
    receipt = {"entries": entries, "version": after.version, "token": receipt_token(ring, entries, after.version)}
    return {
        **after.document,
        "result": result,
        "still_blocked_by": blockers_shown(list(still.values())) if still else [],
        "receipt": receipt,
    }


def _result(asked: Asked, told: Told | None, document: Mapping[str, Any]) -> dict[str, Any]:
    if told is None:
        became = document.get(asked.field, "not_set")
        return {"field": asked.field, "asked": asked.asked, "became": became, "effect": "unchanged", "rule": None, "entry": None}
    became = told.became == "opted_out" if asked.field == GLOBAL else told.became
    entry = told.entries[0] if told.entries else None
    return {
        "field": asked.field, "asked": asked.asked, "became": became, "effect": told.effect, "rule": told.rule or None, "entry": entry,
    }  # fmt: skip


def receipt_token(ring: Ring, entries: Sequence[str], version: int) -> str:
    """The signed token of a receipt: the version, how many entries, a hash over all their ids, and the first ones by id."""
    raw = bytes.fromhex("".join(entries).replace("-", ""))
    payload = pack(version.to_bytes(8), len(entries).to_bytes(4), hashlib.sha256(raw).digest(), raw[: 16 * NAMED_IN_TOKEN])
    return sign(ring, "receipt", payload, expires_at=None)
