"""`sayso pages`: what people's own pages say and how they look; colleagues see a draft first, then everybody."""

from pathlib import Path
from typing import Annotated

import typer

from sayso.commands.client import OPERATOR
from sayso.commands.frame import Failed, hub, run
from sayso.commands.json_file import read_json
from sayso.commands.output import AsJson, out, print_json
from sayso.contracts.center import DraftMoved, DraftPages, LivePages
from sayso.flows.publish_pages import NoDraft, discard_pages, draft_pages, publish_pages
from sayso.opening import Parts
from sayso.rules.catalogue import MOST_PEOPLE_READ
from sayso.rules.pages import Draft, InvalidPages, PageSet, draft_body, draft_of, to_body
from sayso.rules.times import format_time
from sayso.store.center import PostgresPages
from sayso.web.api.center_texts import flaws

app = typer.Typer(no_args_is_help=True, help="What people's own pages say, and how they look.")


@app.command()
def draft(
    file: Annotated[Path, typer.Argument(help="A JSON file as `sayso pages show --json` prints its draft.")], as_json: AsJson = False
) -> None:
    """Keep a draft of texts, looks and categories. Only the colleagues in `shown_to` see it, until it is published."""
    revision, found = run(_draft(file), as_json)
    if as_json:
        print_json({"revision": revision, **draft_body(found)})
        return
    out().print(f"Draft {revision} is kept: {_summary(found.pages)}.", markup=False)
    out().print(f"Shown to: {', '.join(found.shown_to) or 'nobody; name addresses or @domains in shown_to'}.", markup=False)
    if found.catalogue and len(found.catalogue.refusable) > MOST_PEOPLE_READ:
        out().print(f"{len(found.catalogue.refusable)} categories to choose from: people stop reading at {MOST_PEOPLE_READ}.")


@app.command()
def show(as_json: AsJson = False) -> None:
    """Show what is live, and the draft where there is one."""
    live, held = run(_read(), as_json)
    if as_json:
        body = {"revision": held.revision, "at": format_time(held.at), **draft_body(held.draft)} if held else None
        print_json({"live": {"version": live.version, **to_body(live.pages)}, "draft": body})
        return
    out().print(f"Live: version {live.version}, {_summary(live.pages)}.", markup=False)
    if held is None:
        out().print("There is no draft.")
        return
    out().print(f"Draft {held.revision} of {format_time(held.at)}: {_summary(held.draft.pages)}.", markup=False)
    out().print(f"Shown to: {', '.join(held.draft.shown_to) or 'nobody'}.", markup=False)


@app.command()
def publish(as_json: AsJson = False) -> None:
    """Show the draft to everybody, with its categories; every process does so within a second. It is noted in the ledger."""
    live, catalogue = run(_publish(), as_json)
    if as_json:
        print_json({"version": live.version, "catalogue": catalogue})
    else:
        out().print(f"Version {live.version} is live, with version {catalogue} of the catalogue.")


@app.command()
def discard(as_json: AsJson = False) -> None:
    """Take the draft away; what is live stays as it is."""
    run(_discard(), as_json)
    if as_json:
        print_json({"discarded": True})
    else:
        out().print("The draft is gone.")


def _summary(pages: PageSet) -> str:
    brands = sorted({*pages.brand_texts, *pages.styles})
    texts = sum(map(len, pages.texts.values())) + sum(len(own) for texts in pages.brand_texts.values() for own in texts.values())
    return f"{texts} texts, {len(brands)} brands with texts or looks of their own"


def _pages(parts: Parts) -> PostgresPages:
    return PostgresPages(parts.pool, parts.tools.vault)


async def _draft(file: Path) -> tuple[int, Draft]:
    body = read_json(file, sample="sayso pages show --json")
    async with hub() as parts:
        version = (await parts.desk.catalogue()).version + 1
        try:
            found = draft_of(body, version)
        except InvalidPages as wrong:
            raise Failed(wrong.detail, where=f"{file} {wrong.pointer}") from wrong
        if wrongs := flaws(found):
            raise Failed(wrongs[0][0], where=f"{file} {wrongs[0][1]}")
        ground = await parts.current.ground()
        return await draft_pages(found, OPERATOR, pages=_pages(parts), book=parts.book, ground=ground), found


async def _read() -> tuple[LivePages, DraftPages | None]:
    async with hub() as parts:
        pages = _pages(parts)
        return await pages.live(), await pages.draft()


async def _publish() -> tuple[LivePages, int]:
    async with hub() as parts:
        ground = await parts.current.ground()
        try:
            live, catalogue = await publish_pages(OPERATOR, pages=_pages(parts), desk=parts.desk, book=parts.book, ground=ground)
        except NoDraft as none:
            raise Failed("there is no draft to publish", fix="sayso pages draft FILE") from none
        except DraftMoved as moved:
            raise Failed(str(moved), fix="sayso pages show") from moved
        return live, catalogue.version


async def _discard() -> None:
    async with hub() as parts:
        try:
            await discard_pages(OPERATOR, pages=_pages(parts), book=parts.book, ground=await parts.current.ground())
        except NoDraft as none:
            raise Failed("there is no draft") from none
