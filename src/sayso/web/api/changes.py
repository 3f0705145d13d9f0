"""The feed of changes: entries in the order of the ledger, for whoever keeps a copy (wire contract section 6)."""

import asyncio
import base64
import binascii
import json
import time
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from sayso.contracts.feed import Fed
from sayso.contracts.portrait import Portrait
from sayso.flows.emit import about
from sayso.rules import tidings
from sayso.rules.times import format_time
from sayso.web.auth import Caller, require
from sayso.web.describe import door, page_of
from sayso.web.errors import Problem, invalid
from sayso.web.reading import Limit, listed, strict_query
from sayso.web.spokes import SpokeParts, spoke_parts

router = APIRouter(prefix="/api/v2", tags=["changes"], dependencies=[Depends(strict_query)])
LONGEST_WAIT: Final = 30
LOOK_EVERY: Final = 0.1
FIRST: Final = "0"
"""The log that places are counted from; those of later ones go on behind it."""
_ITEM: Final[dict[str, Any]] = {
    "type": "object", "required": ["cursor", "type", "timestamp", "data"],
    "properties": {"cursor": {"type": "string"}, "type": {"type": "string"}, "timestamp": {"type": "string"}, "data": {"type": "object"}},
}  # fmt: skip
_EXAMPLE: Final = {
    "items": [{"cursor": "eyJsIjp7IjAiOjQzfX0", "type": "preferences.changed", "timestamp": "2026-11-22T10:00:00.123456Z", "data": {
        "contact_id": "c-1001", "address": "ada@example.com", "entry": "019aa9c8-5e3b-7d40-8a51-2f6b1c9d0e42", "index": 42, "kind": "choice",
        "act": "choice", "effect": "applied", "rule": None, "via": "k:019aa9c8-5e3b-7d40-8a51-2f6b1c9d0e01", "source": "connection", "own": True, "occurred_at": "2026-11-22T09:59:58Z",
        "version": 7, "scope": {"brand": "*", "channel": "email", "category": "*"}, "old": "not_set", "new": "opted_out",
        "reason": "unsubscribed", "copy_of": None}}],
    "next": "eyJsIjp7IjAiOjQzfX0",
}  # fmt: skip


@router.get("/changes", **door("Read what changed", scopes=("changes:read",), answer=page_of(_ITEM), gives=_EXAMPLE, problems=("gone",)))
async def read_changes(
    request: Request, limit: Limit, _: Annotated[Caller, require("changes:read")],
    after: Annotated[str | None, Query(description="The `next` of the page before; left out, the feed begins with the oldest entry.")] = None,
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for something new where there is nothing.")] = 0,
) -> Response:  # fmt: skip
    """Each entry about a person once, in order, none skipped: opt-outs and opt-ins, blocks, pauses, links, events.

    `next` is never null: on an empty page it is where to ask from later. 410 for a cursor of another ledger (also of this one before
    an older database was put back and accepted), or of one that is ahead of it: begin anew. An entry that repeats another in a second row names it as `copy_of`.
    """
    parts = spoke_parts(request)
    start = _read_cursor(after, parts.origin()) if after else 0
    if start > await parts.feed.size():
        raise Problem("gone", "The cursor is ahead of this ledger; begin anew without one.")
    end = time.monotonic() + wait
    while True:
        items, reached = await _page(parts, start, limit)
        if items or time.monotonic() >= end or await request.is_disconnected():
            return JSONResponse(listed(items, _cursor(reached, parts.origin())))
        if reached == start:
            await asyncio.sleep(min(LOOK_EVERY, max(0.0, end - time.monotonic())))
        start = reached


async def _page(parts: SpokeParts, start: int, limit: int) -> tuple[list[dict[str, Any]], int]:
    """At most `limit` items from a place on, and the place behind the last one that was looked at."""
    entries = await parts.feed.read(start, limit)
    if not entries:
        return [], start
    told = [(one, kind) for one in entries if (kind := tidings.feed_type(one.fields)) is not None]
    portraits = await parts.ears.portray(sorted({one.sub for one, _ in told}), None) if told else {}
    items = [_item(one, kind, portraits.get(one.sub), parts.origin()) for one, kind in told]
    return items, entries[-1].seq + 1


def _item(one: Fed, kind: str, portrait: Portrait | None, origin: str) -> dict[str, Any]:
    data = {**about(portrait), "index": one.seq, **tidings.change_data(one.fields, one.detail, one.act)}
    return {"cursor": _cursor(one.seq + 1, origin), "type": kind, "timestamp": format_time(one.fields["at"]), "data": data}


def _cursor(place: int, origin: str) -> str:
    """A position for each log, and which ledger they belong to."""
    said = json.dumps({"o": origin, "l": {FIRST: place}}, separators=(",", ":"))
    return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")


def _read_cursor(text: str, origin: str) -> int:
    """The place a cursor names. Raises Problem: 422 for what is no cursor, 410 for one of another ledger."""
    try:
        said: Any = (
            json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)) if len(text) < 1_000 else None
        )
        known, place = said["o"] == origin, said["l"].get(FIRST)
    except (ValueError, binascii.Error, KeyError, TypeError, AttributeError, RecursionError):
        raise invalid(("a cursor is what `next` of the page before said", "query/after")) from None
    if not known:
        raise Problem("gone", "The cursor belongs to another ledger; begin anew without one.")
    if isinstance(place, bool) or not isinstance(place, int) or not 0 <= place < 1 << 62:
        raise invalid(("a cursor is what `next` of the page before said", "query/after"))
    return place
