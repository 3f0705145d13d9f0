"""Segments: who opted out, or whom an event happened to, in a time frame; as pages of JSON or one streamed CSV (wire contract section 4)."""

import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from sayso.contracts.segments import Filter
from sayso.flows.segment import Found, segment
from sayso.rules.cells import cell, line
from sayso.rules.happenings import OPT_IN, OPT_OUT
from sayso.rules.times import DAY, LATEST, parse_time
from sayso.rules.words import SOURCES, UnknownChannel, channel_named
from sayso.web.auth import Caller, require
from sayso.web.describe import door, page_of
from sayso.web.errors import invalid
from sayso.web.hub import Hub, hub_of
from sayso.web.reading import LARGEST_PAGE, BrandQuery, Limit, listed, strict_query
from sayso.web.render import json_answer

router = APIRouter(tags=["segments"], dependencies=[Depends(strict_query)])
Reporter = Annotated[Caller, require("reports:read")]
COLUMNS: Final = (
    "time", "event", "contact_id", "address", "channel", "category", "business_unit", "source", "reason", "still_opted_out", "properties",
    "entry",
)  # fmt: skip
_CURSOR: Final = re.compile(r"(\d{1,18})\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_DAY_ONLY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_ITEM: Final[dict[str, Any]] = {"type": "object", "properties": {column: {} for column in COLUMNS}}
_GIVES: Final = {
    "items": [
        {"time": "2026-11-22T10:00:00Z", "event": "Opt Out", "contact_id": "c-1001", "address": "ada@example.com", "channel": "email",
         "category": "promotional", "business_unit": "*", "source": "email_link", "reason": "too many", "properties": {},
         "still_opted_out": True, "entry": "019c0a5e-7b3a-7c21-9d55-0f3b6f1c2a41"}
    ],
    "next": None,
}  # fmt: skip


def frame_query(
    from_: Annotated[str | None, Query(alias="from", description="First moment, RFC 3339, or a day (UTC).")] = None,
    to: Annotated[str | None, Query(description="The moment before which it ends, RFC 3339, or the last day (UTC).")] = None,
) -> tuple[int, int]:
    """The time frame in microseconds, its end exclusive; open where nothing is named."""
    begin = _moment(from_, "from") if from_ else 0
    end = _moment(to, "to") + (DAY if _DAY_ONLY.fullmatch(to) else 0) if to else LATEST
    if end < begin:
        raise invalid(("the time frame ends before it begins", "query/to"))
    return begin, end


def _moment(text: str, name: str) -> int:
    try:
        return parse_time(f"{text}T00:00:00Z" if _DAY_ONLY.fullmatch(text) else text)
    except ValueError as error:
        raise invalid((str(error), f"query/{name}")) from None


def channel_query(channel: Annotated[str | None, Query(description="A channel in either vocabulary, any case.")] = None) -> str | None:
    """Our name of the channel, or None for any."""
    try:
        return channel_named(channel) if channel is not None else None
    except UnknownChannel as error:
        raise invalid((str(error), "query/channel")) from None


def source_query(source: Annotated[str | None, Query(description=f"One of {', '.join(SOURCES)}.")] = None) -> str | None:
    """The source of the statement, or None for any."""
    if source is not None and source not in SOURCES:
        raise invalid((f"a source is one of {', '.join(SOURCES)}", "query/source"))
    return source


def cursor_query(after: Annotated[str | None, Query(description="The `next` of the page before.")] = None) -> tuple[int, str]:
    """Where the page begins."""
    if after is None:
        return 0, ""
    found = _CURSOR.fullmatch(after)
    if found is None:
        raise invalid(("a cursor is what `next` of the page before said", "query/after"))
    return int(found[1]), found[2]


Frame = Annotated[tuple[int, int], Depends(frame_query)]
Cursor = Annotated[tuple[int, str], Depends(cursor_query)]
ChannelQuery = Annotated[str | None, Depends(channel_query)]
SourceQuery = Annotated[str | None, Depends(source_query)]
Form = Annotated[Literal["json", "csv"], Query(alias="format", description="Pages of JSON, or everything as one CSV.")]
_CSV: Final[dict[str, Any]] = {"schema": {"type": "string"}, "example": ",".join(COLUMNS)}


def _described(summary: str) -> dict[str, Any]:
    said = door(summary, scopes=("reports:read",), answer=page_of(_ITEM), gives=_GIVES)
    said["responses"][200]["content"]["text/csv"] = _CSV
    return said


@router.get("/api/v2/segments/opt_outs", **_described("Who opted out"))
async def opt_outs(
    request: Request, frame: Frame, cursor: Cursor, limit: Limit, channel: ChannelQuery, source: SourceQuery, brand: BrandQuery, _: Reporter,
    category: Annotated[str | None, Query(description="A key of the catalogue; * for opt-outs of whole channels.")] = None,
    form: Form = "json",
) -> Response:  # fmt: skip
    """Every opt-out that took effect in the time frame (by when it was received), and whether it still stands."""
    wanted = Filter(None, "opted_out", *frame, channel, category, source, brand)
    return await _answer(hub_of(request), wanted, cursor, limit, form, "opt_outs")


@router.get("/api/v2/segments/events", **_described("Whom an event happened to"))
async def events(
    request: Request, frame: Frame, cursor: Cursor, limit: Limit, source: SourceQuery, _: Reporter,
    name: Annotated[str, Query(min_length=1, max_length=64, description="The event's name, such as `Opt In` or a custom one.")],
    form: Form = "json",
) -> Response:  # fmt: skip
    """Everybody whom an event of this name happened to; `Opt Out` and `Opt In` count by whichever door they came."""
    choice = {OPT_OUT: "opted_out", OPT_IN: "opted_in"}.get(name, "")
    return await _answer(hub_of(request), Filter(name, choice, *frame, source=source), cursor, limit, form, "events")


async def _answer(hub: Hub, wanted: Filter, cursor: tuple[int, str], limit: int, form: str, name: str) -> Response:
    for text in (wanted.category, wanted.event):
        if text is not None and not text.isprintable():
            raise invalid(("a text without control characters is needed", "query"))
    if form == "json":
        found = await _find(hub, wanted, cursor, limit)
        return json_answer(listed(found.items, f"{found.next[0]}.{found.next[1]}" if found.next else None))
    first = await _find(hub, wanted, cursor, LARGEST_PAGE)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(_lines(hub, wanted, first), headers=headers, media_type="text/csv; charset=utf-8; header=present")


async def _find(hub: Hub, wanted: Filter, cursor: tuple[int, str], limit: int) -> Found:
    ground = await hub.current.ground()
    return await segment(wanted, after=cursor, limit=limit, segments=hub.segments, book=hub.book, ground=ground)


async def _lines(hub: Hub, wanted: Filter, found: Found) -> AsyncIterator[bytes]:
    """The CSV, page by page."""
    yield _csv([COLUMNS])
    while True:
        yield _csv([[cell(item[column]) for column in COLUMNS] for item in found.items])
        if found.next is None:
            return
        found = await _find(hub, wanted, found.next, LARGEST_PAGE)


def _csv(rows: Any) -> bytes:
    return "".join(line(row) for row in rows).encode()
