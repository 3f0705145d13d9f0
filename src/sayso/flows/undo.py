"""Undo: take back one act and nothing else. What was said since stays as it is."""

from collections.abc import Sequence
from typing import Final

from sayso.contracts.book import Book
from sayso.contracts.center import Undone
from sayso.contracts.ground import Ground
from sayso.flows.choose import Manner, NobodyHere
from sayso.flows.open_link import opened as people_of
from sayso.flows.record import Said, record
from sayso.rules.center import named
from sayso.rules.entries import Entry, entry_of
from sayso.rules.references import reference
from sayso.rules.reversal import reversal
from sayso.rules.tokens import Link, Undo
from sayso.rules.words import ANY, Scope

BATCH: Final = 500


async def undo(right: Undo, manner: Manner, *, book: Book, ground: Ground) -> Undone:
    """What was restored, and what was left because of a newer word. Doing it twice does it once. Raises Unavailable, NobodyHere."""
    link = Link(right.contact, right.address, Scope(ANY, ANY, ANY))
    opened = await people_of(link, "", fresh=True, book=book, ground=ground)
    speaker = opened.page.row(opened.contact or opened.address)
    if speaker is None:
        raise NobodyHere
    chain = await spoken(speaker.sub, book)
    ids = {str(entry) for entry in right.entries}
    words = reversal([one for one in chain if one.id in ids], chain)
    if not words:
        return Undone(ground.clock(), "", (), ())
    done = await record(
        Said(manner.voice(), words, opened.contact, opened.address, personal=manner.personal or {}), book=book, ground=ground
    )
    assert done.ruling is not None  # it carries no key of a repeat, so it is always written
    told = done.ruling.told
    entries = [entry for one in told for entry in one.entries]
    kept = tuple(named(one.word) for one in told if one.effect == "superseded")
    restored = tuple(named(one.word) for one in told if one.effect != "superseded")
    return Undone(done.now, reference(entries[0]) if entries else "", restored, kept)


async def spoken(sub: str, book: Book) -> Sequence[Entry]:
    """Every choice and pause in one subject's row, oldest first."""
    chain: list[Entry] = []
    after = ""
    while True:
        batch = await book.entries([sub], kinds=("choice", "pause"), after=after, limit=BATCH, newest_first=False)
        chain += [entry_of(dict(one.fields)) for one in batch]
        if len(batch) < BATCH:
            return chain
        after = batch[-1].id
