"""`sayso import`: brings in the opt-outs that another system holds."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from sayso.commands.csv_file import BadFile, CsvFile, Numbered, Shape, reading
from sayso.commands.frame import FAILED, PENDING, USAGE, Failed, hub, run, seldom_collected
from sayso.commands.output import AsJson, err, out, print_json, printable, table
from sayso.commands.progress import Tell, progress
from sayso.commands.rejects import Rejects
from sayso.contracts.book import Unavailable
from sayso.flows.give_way import give_way
from sayso.flows.import_ import Listed, Origin, import_
from sayso.opening import Parts
from sayso.rules.countries import COUNTRIES
from sayso.rules.optouts import BRAND_LENGTH, BadColumns, BadRow, Columns, Reading, columns_of, guessed_header, is_header, read_row
from sayso.rules.words import ANY, UnknownChannel, channel_named

CHUNK: Final = 1_000
"""Rows kept between two looks whether somebody asks before sending."""
SLICE: Final = 100
"""The same while somebody does: a short piece of work and a rest as long, so that no check waits for a long one."""
NICER: Final = 10
"""How much an import stands back behind the web processes of the same machine (nice)."""
TOLD_EVERY: Final = 2_000
"""Rows between two words about the progress, at least."""
TRIES: Final = 5
NAME_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for on the command line."""

    file: Path
    dry: bool
    chosen: dict[str, str]
    channel: str
    category: str
    brand: str
    country: str | None
    source: str
    rejected: Path | None


@dataclass(slots=True)
class Report:
    """What became of a list."""

    shape: Shape
    columns: dict[str, str]
    unknown: tuple[str, ...]
    headerless: bool
    rejects: Rejects
    rows: int = 0
    became: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    rests: int = 0


def import_list(
    file: Annotated[Path, typer.Argument(help="A CSV file, any size.")],
    opt_outs: Annotated[
        bool, typer.Option("--opt-outs", help="Every row is an opt-out (needed: nothing else can be imported yet).")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing, say what would change; exit code 2 if anything.")] = False,
    column: Annotated[
        list[str] | None, typer.Option(help="Which column holds what: email=Mail, or email=2; status= leaves it out.")
    ] = None,
    channel: Annotated[str, typer.Option(help="Channel of rows that name none; else all that the address serves.")] = "",
    category: Annotated[str, typer.Option(help="Category of rows that name none; else all.")] = "",
    brand: Annotated[str, typer.Option("--brand", "--business-unit", help="Brand of rows that name none; * for all of the company.")] = ANY,
    country: Annotated[str, typer.Option(help="Country of phone numbers without +, for example DE.")] = "",
    source_name: Annotated[str, typer.Option(help="What people call the list; kept with every entry.")] = "",
    rejected: Annotated[Path | None, typer.Option(help="Where rejected rows go; else FILE.rejected.csv.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 if any row was rejected.")] = False,
    as_json: AsJson = False,
) -> None:
    """Import opt-outs from a CSV file. Doing it twice changes nothing more; rejected rows are listed with line and reason."""
    report = run(_import(opt_outs, file, dry_run, column or [], channel, category, brand, country, source_name, rejected), as_json)
    _show(report, dry_run, as_json)
    if report.rejects.count and (strict or report.rejects.count == report.rows):
        raise typer.Exit(FAILED)
    if dry_run and report.became["new"]:
        raise typer.Exit(PENDING)


async def _import(
    opt_outs: bool, file: Path, dry: bool, column: list[str], channel: str, category: str, brand: str, country: str, source: str,
    rejected: Path | None,
) -> Report:  # fmt: skip
    if not opt_outs:
        raise Failed("say what the rows are", where="--opt-outs", fix=f"sayso import {file} --opt-outs", code=USAGE)
    wanted = Wanted(
        file, dry, dict(_pair(one) for one in column), _channel(channel), category, _brand(brand), _country(country), source[:NAME_LENGTH],
        rejected or file.with_name(f"{file.stem}.rejected.csv"),
    )  # fmt: skip
    try:
        with reading(file) as csv_file, seldom_collected():
            async with hub(nice=NICER) as parts:
                with closing(Rejects(None if dry else wanted.rejected)) as rejects, progress(f"importing {file.name}") as tell:
                    return await _all(wanted, csv_file, rejects, tell, parts)
    except BadFile as bad:
        raise Failed(str(bad), where=str(file)) from bad
    except BadColumns as bad:
        raise Failed(str(bad), where=str(file), fix="name the column: --column email=NAME", code=USAGE) from bad


async def _all(wanted: Wanted, file: CsvFile, rejects: Rejects, tell: Tell, parts: Parts) -> Report:
    """Reads and imports the whole file, a chunk at a time."""
    ground = await parts.current.ground()
    header, rows, headerless = _header(file, wanted)
    columns = columns_of(header, wanted.chosen)
    rejects.under(header)
    named = {name: header[place] or f"column {place + 1}" for name, place in columns.places.items()}
    report = Report(file.shape, named, columns.unknown, headerless, rejects)
    region = wanted.country or ground.default_country
    reading_ = Reading(ground.catalogue, wanted.channel, wanted.category, wanted.brand, region)
    _refuse_defaults(reading_)
    begun, told, size = time.monotonic(), 0, SLICE
    width = len(header)
    chunk: list[tuple[Numbered, Listed]] = []
    for row in rows:
        report.rows += 1
        try:
            chunk.append((row, _read(row, columns, width, reading_)))
        except BadRow as bad:
            rejects.add(row.line, str(bad), row.cells)
        if len(chunk) >= size:
            size = SLICE if await _keep(chunk, wanted, report, parts) else CHUNK
            chunk = []
            if report.rows < told + TOLD_EVERY:
                continue
            told = report.rows
            rate = round(report.rows / max(time.monotonic() - begun, 1e-9))
            tell(file.done(), file.shape.bytes, rows=report.rows, rows_per_second=rate, rejected=rejects.count)
    await _keep(chunk, wanted, report, parts)
    report.seconds = time.monotonic() - begun
    return report


def _header(file: CsvFile, wanted: Wanted) -> tuple[Sequence[str], Iterator[Numbered], bool]:
    """The names of the columns, the rows behind them, and whether the names had to be guessed because the file has none."""
    first = next(file.rows, None)
    if first is None:
        raise BadFile(f"{wanted.file} holds no rows")
    if first.problem:
        raise BadFile(f"the first line of {wanted.file} cannot be read: {first.problem}")
    names = [cell.strip() for cell in first.cells]
    if is_header(names) or any(name in names for name in wanted.chosen.values() if name):
        return names, file.rows, False
    if guessed := guessed_header(first.cells):
        return guessed, _behind(first, file.rows), True
    return names, file.rows, False


def _behind(first: Numbered, rest: Iterator[Numbered]) -> Iterator[Numbered]:
    yield first
    yield from rest


def _refuse_defaults(reading_: Reading) -> None:
    """What the command line says for all rows must be right before any row is read."""
    try:
        read_row(["ada@example.com"], Columns({"email": 0}), Reading(reading_.catalogue, "", reading_.category))
    except BadRow as bad:
        raise Failed(str(bad), where="--category", fix="sayso catalogue show", code=USAGE) from bad


def _read(row: Numbered, columns: Columns, width: int, reading_: Reading) -> Listed:
    if row.problem:
        raise BadRow(row.problem)
    if any(cell.strip() for cell in row.cells[width:]):
        raise BadRow(f"the row has {len(row.cells)} fields, there are {width} columns: put quotation marks around fields with a delimiter")
    return Listed(row.line, read_row(row.cells, columns, reading_))


async def _keep(chunk: list[tuple[Numbered, Listed]], wanted: Wanted, report: Report, parts: Parts) -> bool:
    """Whether checks were given way to after one chunk was imported.

    A database that is away is waited for; whatever was kept by then is found again and not kept twice.
    """
    if not chunk:
        return False
    origin = Origin(wanted.source, wanted.file.name)
    left = chunk
    for attempt in range(TRIES):
        begun = time.monotonic()
        became = await import_([listed for _, listed in left], origin, book=parts.book, ground=await parts.current.ground(), dry=wanted.dry)
        rested = await give_way(time.monotonic() - begun, gatehouse=parts.gatehouse, rest=asyncio.sleep)
        report.rests += rested
        waiting = []
        for (row, listed), what in zip(left, became, strict=True):
            if isinstance(what, Unavailable):
                waiting.append((row, listed))
            elif isinstance(what, Exception):
                report.rejects.add(row.line, f"could not be kept: {what}", row.cells)
            else:
                report.became[what] += 1
                report.notes.update(listed.said.notes)
        if not waiting:
            return rested
        left = waiting
        await parts.wake.wait(float(2**attempt))
    fix = "run the same command again when the database answers: nothing is imported twice"
    raise Failed(f"the database does not answer; imported up to line {left[0][0].line - 1}", where="database", fix=fix)


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise Failed(f"{text!r} is no column: write FIELD=COLUMN", where="--column", fix="--column email=Mail", code=USAGE)
    return name.strip(), value.strip()


def _channel(text: str) -> str:
    try:
        return channel_named(text) if text else ""
    except UnknownChannel as unknown:
        raise Failed(str(unknown), where="--channel", code=USAGE) from unknown


def _brand(text: str) -> str:
    if len(text) > BRAND_LENGTH or not text.isprintable():
        raise Failed(f"a brand has at most {BRAND_LENGTH} characters and no control characters", where="--brand", code=USAGE)
    return text or ANY


def _country(text: str) -> str | None:
    if text and text.upper() not in COUNTRIES:
        raise Failed(f"{text!r} is no country", where="--country", fix="write two letters, for example --country DE", code=USAGE)
    return text.upper() or None


def _show(report: Report, dry: bool, as_json: bool) -> None:
    """The result, for programs or for people."""
    rejects, became = report.rejects, report.became
    if as_json:
        print_json(_document(report, dry))
        return
    _warn(report)
    console = out()
    if rejects.count:
        console.print(table(rejects.first, ("line", "reason")))
        if rejects.count > len(rejects.first):
            console.print(f"… and {rejects.count - len(rejects.first):,} more")
    said = (
        ("would be new opt-outs" if dry else "new opt-outs", became["new"]), ("already out", became["already_out"]),
        ("opted in again later: kept in the history, changes nothing", became["newer_opt_in_stands"]), ("rejected", rejects.count),
    )  # fmt: skip
    console.print(f"{report.rows:,} rows in {report.seconds:.1f} s")
    for words, count in said:
        console.print(f"{count:>12,}  {words}", markup=False)
    if rejects.written:
        console.print(f"Rejected rows, with line and reason: {rejects.written}", markup=False)
    if dry:
        console.print("Nothing was written: this was a dry run.")


def _warn(report: Report) -> None:
    """What was read the restrictive way, or could be a misunderstanding."""
    console = err()
    if report.shape.encoding == "latin-1":
        console.print(
            "The file is not UTF-8; it was read as Latin-1. Letters with accents may be wrong if it is something else.", style="yellow"
        )
    if report.headerless:
        console.print("The file has no header; the column of addresses was recognised by its first row.", style="yellow")
    if report.unknown:
        names = printable(", ".join(report.unknown))
        console.print(f"Columns that mean nothing here were left out: {names}", markup=False, style="yellow")
    for note, count in sorted(report.notes.items()):
        console.print(f"{count:,} rows: {note}", style="yellow", markup=False)


def _document(report: Report, dry: bool) -> dict[str, Any]:
    rejects = report.rejects
    return {
        "dry_run": dry, "rows": report.rows, "new": report.became["new"], "already_out": report.became["already_out"],
        "newer_opt_in_stands": report.became["newer_opt_in_stands"], "rejected": rejects.count,
        "rejected_file": str(rejects.written) if rejects.written else None, "rejections": rejects.first,
        "notes": dict(sorted(report.notes.items())), "encoding": report.shape.encoding.removesuffix("-sig"),
        "delimiter": report.shape.delimiter, "columns": report.columns, "unknown_columns": list(report.unknown),
        "header": not report.headerless, "rests": report.rests, "seconds": round(report.seconds, 3),
        "rows_per_second": round(report.rows / report.seconds) if report.seconds else None,
    }  # fmt: skip
