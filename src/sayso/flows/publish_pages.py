"""Publish pages: a draft that colleagues have looked at becomes what everybody is shown, texts and categories together."""

from dataclasses import replace

from sayso.contracts.book import Book
from sayso.contracts.center import DraftMoved, LivePages, PageStore
from sayso.contracts.desk import Desk
from sayso.contracts.ground import Ground
from sayso.flows.note_config import note_config
from sayso.rules.catalogue import Catalogue
from sayso.rules.pages import Draft


class NoDraft(LookupError):
    """There is no draft."""


async def publish_pages(
    caller: str, *, pages: PageStore, desk: Desk, book: Book, ground: Ground, revision: int = 0
) -> tuple[LivePages, Catalogue]:
    """What is live afterwards, and the catalogue in force. `revision` demands that very draft (0: whichever it is).

    Who did it is in the ledger. Raises NoDraft, DraftMoved and Unavailable.
    """
    held = await pages.draft()
    if held is None:
        raise NoDraft
    if revision and held.revision != revision:
        raise DraftMoved(f"the draft is at revision {held.revision} now")
    live, catalogue = await pages.live(), await desk.catalogue()
    if held.draft.catalogue is not None:
        catalogue = replace(held.draft.catalogue, version=catalogue.version + 1)
    version = live.version + 1
    await pages.publish(version, held, catalogue, ground.clock())
    detail = {"version": version, "catalogue": catalogue.version, "revision": held.revision}
    await note_config("pages_published", detail, caller, book=book, ground=ground)
    return LivePages(version, held.draft.pages), catalogue


async def draft_pages(draft: Draft, caller: str, *, pages: PageStore, book: Book, ground: Ground) -> int:
    """The revision of a draft that was kept; that it was, and by whom, is in the ledger. Raises Unavailable."""
    revision = await pages.keep_draft(draft, ground.clock())
    await note_config("pages_drafted", {"revision": revision}, caller, book=book, ground=ground)
    return revision


async def discard_pages(caller: str, *, pages: PageStore, book: Book, ground: Ground) -> None:
    """Takes the draft away; noted in the ledger. Raises NoDraft and Unavailable."""
    if not await pages.drop_draft():
        raise NoDraft
    await note_config("pages_discarded", {}, caller, book=book, ground=ground)
