"""Choose: what a person asked for on a page becomes entries, at once; what only a fresh link may say waits for an answer to a mail."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sayso.contracts.book import Book
from sayso.contracts.center import Chosen, Wish
from sayso.contracts.ground import Ground
from sayso.contracts.people import Opened
from sayso.flows.record import Said, record
from sayso.flows.weigh import weigh
from sayso.rules.catalogue import Catalogue
from sayso.rules.center import Place, applied, named, planned, stop
from sayso.rules.references import reference
from sayso.rules.statements import Voice
from sayso.rules.times import MINUTE
from sayso.rules.tokens import Ring, Undo, sign_undo
from sayso.rules.words import Scope

UNDO_LIFE: Final = 30 * MINUTE
VIA: Final = "c:center"
"""How the ledger names people's own doors."""

Ask = Callable[[Opened, tuple[Scope, ...]], Awaitable[bool]]
"""Sends the mail of a double opt-in; False when none may be sent now."""


class NobodyHere(LookupError):
    """The person behind a link was erased: nothing is held about them, and nothing can be changed."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How it was said: the source, and the personal part that is kept with it (IP, user agent, language, wording, reason)."""

    source: str = "preference_center"
    personal: Mapping[str, Any] | None = None

    def voice(self) -> Voice:
        """The person's own voice through a door of theirs."""
        return Voice(self.source, own=True, actor="", via=VIA)


async def choose(
    opened: Opened, wish: Wish, catalogue: Catalogue, manner: Manner, *, book: Book, ring: Ring, ground: Ground, ask: Ask
) -> Chosen:
    """What became of a wish; everything that restricts is applied before anything is asked by mail. Raises Unavailable, NobodyHere."""
    if opened.gone:
        raise NobodyHere
    weighed = await weigh(opened, catalogue, book=book, ground=ground)
    place = Place(opened.brand, opened.channel, opened.fresh, weighed.paused_here)
    plan = stop(place, company=wish.stop == "company") if wish.stop else planned(wish.choices, wish.pause_until, weighed.on, place)
    at, undo = ground.clock(), ""
    entries: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    if plan.words:
        said = Said(manner.voice(), plan.words, opened.contact, opened.address, personal=manner.personal or {})
        done = await record(said, book=book, ground=ground)
        assert done.ruling is not None  # it carries no key of a repeat, so it is always written
        told, at = done.ruling.told, done.now
        entries = tuple(one.entries[0] for one in told if one.entries)
        changed = tuple(named(one.word) for one in applied(told))
        lost = tuple(named(one.word) for one in told if one.effect in ("superseded", "quarantined"))
        if changed:
            undo = sign_undo(ring, _right(opened, entries), expires_at=at + UNDO_LIFE)
    asked = plan.to_confirm
    if asked and not await ask(opened, tuple(Scope(opened.brand, opened.channel, key) for key in asked)):
        asked = ()
    refused = (*plan.refused, *lost, *(key for key in plan.to_confirm if key not in asked))
    return Chosen(at, reference(entries[0]) if entries else "", entries, changed, refused, asked, undo)


def _right(opened: Opened, entries: tuple[str, ...]) -> Undo:
    """The right to take one act back: the pseudonyms that spoke, and its entries."""
    contact, address = (opened.page.row(key) for key in (opened.contact, opened.address))
    ids = tuple(UUID(entry) for entry in entries)
    return Undo(bytes.fromhex(contact.sub) if contact else None, bytes.fromhex(address.sub) if address else None, ids)
