"""`sayso screen`: who of a list may be sent a message, row for row."""

import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from sayso.audience_wiring import screening_of
from sayso.commands.client import OPERATOR
from sayso.commands.frame import USAGE, Failed, hub, run, seldom_collected
from sayso.commands.output import AsJson, out, print_json, table
from sayso.commands.progress import progress
from sayso.contracts.audience import Audience, BadAudience, Form, Screened
from sayso.flows.screen import Caller, screen
from sayso.rules.times import format_time
from sayso.web.api.audiences import ask_of
from sayso.web.errors import Problem

FORMS: Final[dict[str, Form]] = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".parquet": "parquet", ".arrow": "arrow",
    ".arrows": "arrow",
}  # fmt: skip


def screen_list(
    file: Annotated[Path, typer.Argument(help="The list: CSV, NDJSON, Parquet or Arrow, any size.")],
    category: Annotated[str, typer.Option("--category", "-c", help="What the messages are about: a key of the catalogue.")],
    target: Annotated[Path, typer.Option("--out", "-o", help="Where the result goes: .csv, .ndjson, .parquet or .arrow.")],
    channel: Annotated[str, typer.Option(help="How they would be sent.")] = "email",
    country: Annotated[str | None, typer.Option(help="Country of rows that name none, for example DE.")] = None,
    brand: Annotated[
        str | None, typer.Option("--brand", "--business-unit", help="Which brand sends them; else they are judged for all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the same rows in the same order with `allowed` and `reason`. Needs a column email, phone, address or contact_id."""
    begun = time.monotonic()
    done = run(_screen(file, target, category, channel, country, brand), as_json)
    _show(done, target, time.monotonic() - begun, as_json)


def _form(file: Path, target: Path) -> Form:
    """The form that the result's name asks for. Raises Failed for places that cannot be read or written so."""
    form = FORMS.get(target.suffix.lower())
    if form is None:
        raise Failed(f"{target.name} says no form", where="--out", fix=f"name it one of {', '.join(FORMS)}", code=USAGE)
    if not file.is_file():
        raise Failed(f"{file} is no file", where="FILE", code=USAGE)
    if target.exists() and target.samefile(file):
        raise Failed("the result would take the place of the list", where="--out", code=USAGE)
    return form


async def _screen(file: Path, target: Path, category: str, channel: str, country: str | None, brand: str | None) -> Screened:
    form = _form(file, target)
    part = target.with_name(f".{target.name}.part")
    async with hub() as parts:
        ground = await parts.current.ground()
        screening = screening_of(parts)
        screening.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            ask = ask_of(category, channel, brand if brand != "*" else None, country, ground.catalogue)
            with seldom_collected(), progress(f"screening {file.name}") as tell:
                done = await screen(
                    Audience(file, part, form_out=form), ask, Caller(OPERATOR, OPERATOR, file.name), censuses=screening.censuses,
                    engine=screening.engine, book=parts.book, ground=ground, crew=screening.crew,
                    tell=lambda read, size, asked: tell(read, size, asked_of_the_gate=asked),
                    count=lambda subjects: tell(0, file.stat().st_size, records_read=subjects),
                )  # fmt: skip
            part.replace(target)
        except Problem as refused:
            detail, pointer = refused.errors[0]
            raise Failed(detail, where=pointer.removeprefix("query/"), code=USAGE) from refused
        except BadAudience as bad:
            raise Failed(str(bad), where=str(file)) from bad
        finally:
            part.unlink(missing_ok=True)
    return done


def _show(done: Screened, target: Path, seconds: float, as_json: bool) -> None:
    totals, revision = done.totals, done.revision
    if as_json:
        print_json(_document(done, target, seconds))
        return
    console = out()
    reasons = sorted(totals.reasons.items(), key=lambda item: -item[1])
    console.print(table([{"reason": reason, "rows": f"{count:,}"} for reason, count in reasons], ("reason", "rows")))
    rate = f"{totals.rows / max(seconds, 1e-9):,.0f} rows/s"
    console.print(f"\n{totals.allowed:,} of {totals.rows:,} may be sent to; written to {target} ({rate}).", markup=False)
    console.print(
        f"Exact as of {format_time(revision.at)}, {revision.log_size:,} ledger entries. Kept as entry {done.entry}.", markup=False
    )


def _document(done: Screened, target: Path, seconds: float) -> dict[str, Any]:
    totals = done.totals
    return {
        "rows": totals.rows, "allowed": totals.allowed, "blocked": totals.rows - totals.allowed, "asked_of_the_gate": totals.asked,
        "reasons": dict(totals.reasons), "as_of": format_time(done.revision.at), "log_size": done.revision.log_size, "entry": done.entry,
        "hash_in": totals.hash_in, "hash_out": totals.hash_out, "out": str(target), "form": done.form, "seconds": round(seconds, 3),
    }  # fmt: skip
