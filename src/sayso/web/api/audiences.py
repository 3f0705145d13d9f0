"""Whole audiences: `POST /api/v2/audience_checks`, any size, streamed in and out (wire contract section 5)."""

import asyncio
import errno
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from sayso.contracts.audience import Audience, BadAudience, Censuses, Crew, Engine, Form, Screened
from sayso.contracts.book import Unavailable
from sayso.flows.screen import Caller as Screener
from sayso.flows.screen import screen
from sayso.rules.catalogue import Catalogue
from sayso.rules.countries import COUNTRIES
from sayso.rules.gate import Ask
from sayso.rules.times import format_time
from sayso.rules.words import ANY, UnknownChannel, channel_named
from sayso.web.auth import Caller, require
from sayso.web.describe import door
from sayso.web.errors import Problem, invalid
from sayso.web.hub import hub_of
from sayso.web.reading import BrandQuery, strict_query

router = APIRouter(tags=["send checks"], dependencies=[Depends(strict_query)])
Checker = Annotated[Caller, require("send_checks")]
BLOCK: Final = 1 << 20
TYPES: Final[dict[Form, str]] = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
_FORMS: Final[dict[str, Form | None]] = {
    "text/csv": "csv", "application/csv": "csv", "application/x-ndjson": "ndjson", "application/ndjson": "ndjson",
    "application/jsonl": "ndjson", "application/x-jsonlines": "ndjson", "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet", "application/vnd.apache.arrow.stream": "arrow", "application/vnd.apache.arrow.file": "arrow",
    "": None, "application/octet-stream": None, "application/x-www-form-urlencoded": None, "text/plain": None,
}  # fmt: skip
"""What a Content-Type says about the form; None: the first bytes tell (curl sends the last ones when nobody says otherwise)."""
_EXAMPLE: Final = "email,country\r\nada@example.com,DE\r\n"
_ANSWERED: Final = "email,country,allowed,reason\r\nada@example.com,DE,false,no_consent\r\n"


@dataclass(frozen=True, slots=True)
class Screening:
    """What screening needs besides the hub; `folder` takes bodies while they are screened. At most two at once in a process."""

    censuses: Censuses
    engine: Engine
    folder: Path
    crew: Crew | None = None
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))


def _described() -> dict[str, Any]:
    said = door("May this be sent, to whom of these?", scopes=("send_checks",), answer={"type": "string", "format": "binary"})
    said["responses"][200]["content"] = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in TYPES.values()}
    said["responses"][200]["content"][TYPES["csv"]] = {"schema": {"type": "string"}, "example": _ANSWERED}
    said["responses"][200]["headers"] = {
        name: {"description": text, "schema": {"type": "string"}}
        for name, text in (
            ("X-Sayso-Rows", "rows that came, and came back"),
            ("X-Sayso-Allowed", "rows that may be sent to"),
            ("X-Sayso-As-Of", "the moment the verdicts are exact for"),
            ("X-Sayso-Log-Size", "how many entries the ledger had then"),
            ("X-Sayso-Entry", "the ledger entry that keeps counts and hashes"),
        )
    }
    content: dict[str, Any] = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in TYPES.values()}
    content[TYPES["csv"]] = {"schema": {"type": "string"}, "example": _EXAMPLE}
    said["openapi_extra"]["requestBody"] = {"required": True, "content": content}
    for code in (413, 415):
        said["responses"][code] = {**said["responses"][422], "description": "`too_large`" if code == 413 else "`unsupported_media_type`"}
    return said


@router.post("/api/v2/audience_checks", operation_id="audience_checks", **_described())
async def audience_checks(
    request: Request, caller: Checker, brand: BrandQuery,
    category: Annotated[str, Query(description="What the messages are about: a key of the catalogue.")],
    channel: Annotated[str, Query(description="The channel, in either vocabulary.")] = "email",
    country: Annotated[str | None, Query(description="Country of rows that name none, ISO 3166.")] = None,
    form: Annotated[Literal["csv", "ndjson", "parquet", "arrow"] | None, Query(alias="format", description="Form of the answer; else as it came.")] = None,
    name: Annotated[str | None, Query(max_length=200, description="What you call the list; kept in the ledger, encrypted.")] = None,
) -> Response:  # fmt: skip
    """The same rows in the same order with `allowed` and `reason`; rows that cannot be read come back denied, none is dropped.

    The body has a column `email`, `phone` or `address`, or `contact_id`; `country` and `business_unit` count row by row where they are there.
    """
    hub, screening = hub_of(request), screening_of(request)
    ground = await hub.current.ground()
    ask = ask_of(category, channel, brand, country, ground.catalogue)
    came = form_of(request.headers.get("content-type", ""))
    with spooled(screening.folder) as folder:
        source, target = folder / "came", folder / "goes"
        await _receive(request, source)
        async with screening.turns:
            try:
                done = await screen(
                    Audience(source, target, came, form), ask, Screener(caller.via, caller.via, name or ""), censuses=screening.censuses,
                    engine=screening.engine, book=hub.book, ground=ground, crew=screening.crew,
                )  # fmt: skip
            except BadAudience as bad:
                raise invalid((str(bad), "#")) from bad
            except OSError as failed:
                raise _of_disk(failed) from failed
        headers = _headers(done, target.stat().st_size)
        result = target.open("rb")
    return StreamingResponse(_blocks(result), headers=headers, media_type=TYPES[done.form])


def screening_of(request: Request) -> Screening:
    """What screening needs."""
    found: Screening = request.app.state.screening
    return found


def ask_of(category: str, channel: str, brand: str | None, country: str | None, catalogue: Catalogue) -> Ask:
    """The question that is asked of every row. Raises Problem, naming every flaw."""
    flaws = []
    found = catalogue.get(category)
    if found is None:
        flaws.append((f"is no category; the catalogue has {', '.join(one.key for one in catalogue.categories)}", "query/category"))
    try:
        named = channel_named(channel)
        if named == ANY:
            flaws.append(("a message goes out on one channel; screen once for each", "query/channel"))
    except UnknownChannel as unknown:
        named = ""
        flaws.append((str(unknown), "query/channel"))
    place = country.upper() if country else None
    if place and place not in COUNTRIES:
        flaws.append(("country is an ISO 3166 code of two letters, such as DE", "query/country"))
    if flaws:
        raise invalid(*flaws)
    return Ask(named, found, brand, place)


def form_of(kind: str) -> Form | None:
    """The form a Content-Type names; None where the first bytes have to tell. Raises Problem."""
    plain = kind.partition(";")[0].strip().lower()
    if plain not in _FORMS:
        raise Problem("unsupported_media_type", "Send CSV, NDJSON (one JSON object a line), Parquet or Arrow.")
    return _FORMS[plain]


@contextmanager
def spooled(folder: Path) -> Iterator[Path]:
    """A folder for one screening, removed at the end with whatever is in it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="screen-", dir=folder))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


async def _receive(request: Request, place: Path) -> None:
    """Puts the body into a file."""
    try:
        with place.open("xb") as file:
            async for block in request.stream():
                file.write(block)
    except OSError as failed:
        raise _of_disk(failed) from failed


def _of_disk(failed: OSError) -> Exception:
    if failed.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return Problem("too_large", "There is no room for this audience: send it in parts, or give the data folder more room.")
    return Unavailable(f"the data folder cannot be used: {failed.strerror}")


def _headers(done: Screened, size: int) -> dict[str, str]:
    totals = done.totals
    return {
        "X-Sayso-Rows": str(totals.rows), "X-Sayso-Allowed": str(totals.allowed), "X-Sayso-As-Of": format_time(done.revision.at),
        "X-Sayso-Log-Size": str(done.revision.log_size), "X-Sayso-Entry": done.entry, "Cache-Control": "no-store",
        "Content-Length": str(size),
    }  # fmt: skip


async def _blocks(result: IO[bytes]) -> AsyncIterator[bytes]:
    """The result, whose file has no name any more: it is gone as soon as nobody reads it."""
    with result:
        while block := await asyncio.to_thread(result.read, BLOCK):
            yield block
