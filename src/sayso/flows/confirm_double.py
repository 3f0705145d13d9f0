"""Confirm a double opt-in: the click in its mail makes the consent, with the times of both steps as its proof."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from sayso.contracts.book import Book
from sayso.contracts.ground import Ground
from sayso.contracts.letters import Letters, Pending
from sayso.flows.choose import VIA
from sayso.flows.open_link import opened
from sayso.flows.record import Said, record
from sayso.rules.statements import Choose, Voice
from sayso.rules.times import format_time
from sayso.rules.tokens import BadToken, Kind, Link, Ring, read

KINDS: Final[tuple[Kind, ...]] = ("confirm",)


async def confirm_double(text: str, *, personal: Mapping[str, Any], letters: Letters, book: Book, ring: Ring, ground: Ground) -> Pending:
    """The sign-up after the click; `state_of` tells whether it counted. A second click changes nothing, an expired one neither.

    `personal` is where and how it was clicked (ip, user_agent, language, wording). Raises BadToken for a token that proves nothing,
    and Unavailable.
    """
    pending = await open_double(text, letters=letters, ring=ring, ground=ground)
    if pending.confirmed_at is not None or ground.clock() >= pending.expires_at:
        return pending
    contact, address = (bytes.fromhex(sub) if sub else None for sub in (pending.contact, pending.address))
    people = await opened(Link(contact, address, pending.scopes[0]), "", fresh=True, book=book, ground=ground)
    if people.gone or people.address is None:
        return replace(pending, expires_at=pending.asked_at)
    confirmed_at = ground.clock()
    asked = dict(pending.personal or {})
    proof = f"double opt-in {pending.id}: asked {format_time(pending.asked_at)}, confirmed {format_time(confirmed_at)}"
    kept = {
        **{name: value for name, value in personal.items() if value},
        "proof": f"{proof}; {asked['proof']}" if asked.get("proof") else proof,
        "asked": {**asked, "id": str(pending.id), "at": format_time(pending.asked_at)},
    }
    voice = Voice("double_opt_in", own=True, actor="", via=VIA, method="explicit")
    words = tuple(Choose(scope, out=False) for scope in pending.scopes)
    await record(Said(voice, words, people.contact, people.address, personal=kept), book=book, ground=ground)
    await letters.confirmed(pending.id, confirmed_at)
    return replace(pending, confirmed_at=confirmed_at)


async def open_double(text: str, *, letters: Letters, ring: Ring, ground: Ground) -> Pending:
    """The sign-up that a token of a mail is about, expired or not. Raises BadToken, also for one that is no longer kept."""
    try:
        token = read(ring, text, kinds=KINDS, now=ground.clock())
    except BadToken as bad:
        if bad.reason != "expired" or bad.token is None:
            raise
        token = bad.token
    if len(token.payload) != 16:
        raise BadToken("malformed")
    pending = await letters.pending(UUID(bytes=token.payload))
    if pending is None:
        raise BadToken("expired")
    return pending
