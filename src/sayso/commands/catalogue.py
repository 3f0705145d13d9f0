"""`sayso catalogue`: what messages are about."""

import difflib
import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from sayso.commands.client import OPERATOR
from sayso.commands.frame import PENDING, Failed, hub, run
from sayso.commands.json_file import read_json
from sayso.commands.output import AsJson, err, out, print_json, table
from sayso.contracts.desk import VersionTaken
from sayso.flows.note_config import note_config
from sayso.opening import microseconds
from sayso.rules.catalogue import Catalogue, InvalidCatalogue, from_json, to_json, warnings_of
from sayso.web.api.wanted import RESERVED

app = typer.Typer(no_args_is_help=True, help="What messages are about: categories and message types.")


@app.command()
def show(as_json: AsJson = False) -> None:
    """Show the catalogue in force. The JSON of it is what `apply` takes."""
    found = run(_current(), as_json)
    if as_json:
        print_json(to_json(found))
        return
    rows = [{"key": c.key, "class": c.kind, "title": c.title, "often": c.often, "sends": c.sends} for c in found.categories]
    out().print(f"Catalogue, version {found.version}")
    out().print(table(rows, ("key", "class", "title", "often", "sends")))


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(help="A JSON file as `sayso catalogue show --json` prints it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the difference; exit code 2 if there is one.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put a new catalogue in force; every process judges by it within a second. It is noted in the ledger."""
    before, after = run(_apply(file, dry_run), as_json)
    changed = before.version != after.version
    lines = _difference(before, after) if changed else []
    warnings = warnings_of(after)
    if as_json:
        version = before.version if dry_run else after.version
        print_json({"changed": changed, "dry_run": dry_run, "version": version, "difference": lines, "warnings": list(warnings)})
    elif not changed:
        out().print(f"Nothing changes: version {before.version} says the same.")
    else:
        out().print("\n".join(lines), markup=False)
        out().print("Nothing was written: this was a dry run." if dry_run else f"Version {after.version} is in force.")
    for warning in () if as_json else warnings:
        err().print(f"Warning: {warning}", markup=False, style="yellow")
    if dry_run and changed:
        raise typer.Exit(PENDING)


async def _current() -> Catalogue:
    async with hub() as parts:
        return await parts.desk.catalogue()


async def _apply(file: Path, dry: bool) -> tuple[Catalogue, Catalogue]:
    body = read_json(file, sample="sayso catalogue show --json > catalogue.json")
    async with hub() as parts:
        before = await parts.desk.catalogue()
        after = _checked(body, before.version + 1, file)
        if replace(after, version=before.version) == before:
            return before, before
        if not dry:
            try:
                await parts.desk.keep_catalogue(after, microseconds())
            except VersionTaken as taken:
                raise Failed("another catalogue was applied meanwhile", where=str(file), fix="sayso catalogue show") from taken
            ground = await parts.current.ground()
            await note_config("catalogue_applied", {"version": after.version}, OPERATOR, book=parts.book, ground=ground)
        return before, after


def _checked(body: Any, version: int, file: Path) -> Catalogue:
    try:
        found = from_json(body, version)
    except InvalidCatalogue as wrong:
        raise Failed(wrong.detail, where=f"{file} {wrong.pointer}") from wrong
    if clash := [category.key for category in found.categories if category.key in RESERVED]:
        raise Failed(f"the key {clash[0]!r} would give a field that means something else", where=str(file), fix="choose another key")
    return found


def _difference(before: Catalogue, after: Catalogue) -> list[str]:
    old, new = (json.dumps({**to_json(one), "version": 0}, indent=1, ensure_ascii=False).splitlines() for one in (before, after))
    found = difflib.unified_diff(old, new, f"version {before.version}", f"version {after.version}", n=2, lineterm="")
    return list(found)
