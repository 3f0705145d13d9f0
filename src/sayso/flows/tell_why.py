"""Tell why: which record allowed the message that a link was in, in values that pages put into plain words. Reads only."""

from typing import Final

from sayso.contracts.book import Book
from sayso.contracts.center import Why
from sayso.contracts.messages import Asked, Sending, Sent
from sayso.contracts.people import Opened
from sayso.rules import law
from sayso.rules.catalogue import Catalogue
from sayso.rules.gate import ALLOWING, Reason
from sayso.rules.references import reference
from sayso.rules.words import ANY

LOOKED_AT: Final = 500


async def tell_why(opened: Opened, catalogue: Catalogue, *, sent: Sent, book: Book) -> Why:
    """Why the message came. Where nobody told us of it, only what the link itself says is known. Raises Unavailable."""
    subs = [row.sub for key in (opened.contact, opened.address) if (row := opened.page.row(key))]
    sending = await _sending(opened, subs, sent)
    asked = await sent.verdict(sending.check) if sending and sending.check else None
    key = sending.category if sending else "" if opened.link.scope.category == ANY else opened.link.scope.category
    category = catalogue.get(key)
    allowed = _allowing(asked)
    return Why(
        subject=sending.subject if sending else "",
        sent_at=sending.at if sending else None,
        campaign=opened.link.campaign or (sending.campaign if sending else ""),
        category=key,
        title=category.title if category else key,
        code=allowed.code if allowed else "",
        said_at=allowed.since if allowed else None,
        source=allowed.src if allowed else "",
        reference=reference(await _first(allowed.entry, subs, book)) if allowed and allowed.entry else "",
        check=f"chk_{asked.check}" if asked else "",
        place=next((one.title for one in _regimes() if asked and one.id == asked.logged.verdict.regime), ""),
        refusable=category.refusable if category else True,
    )


async def _sending(opened: Opened, subs: list[str], sent: Sent) -> Sending | None:
    """The message the link was in: by its own id, else the newest of its campaign; None where neither is named or known."""
    link = opened.link
    found = await sent.read(subs, message=link.message, limit=1) if subs and link.message else []
    if not found and subs and link.campaign and not link.message:
        found = await sent.read(subs, campaign=link.campaign, limit=1)
    return found[0] if found else None


async def _first(entry: str, subs: list[str], book: Book) -> str:
    """The entry that a statement was first kept in: a verdict may name its copy in the address's row, and people are shown one reference."""
    noted = await book.entries(subs, kinds=("choice",), after="", limit=LOOKED_AT, newest_first=True)
    return next((str(one.fields.get("x", {}).get("twin", entry)) for one in noted if one.id == entry), entry)


def _allowing(asked: Asked | None) -> Reason | None:
    if asked is None or not asked.logged.verdict.allowed:
        return None
    return next((reason for reason in asked.logged.verdict.reasons if reason.code in ALLOWING), None)


def _regimes() -> tuple[law.Regime, ...]:
    return tuple(one for one in vars(law).values() if isinstance(one, law.Regime))
