"""Sends: whether what was sent had permission, and what it is called when it had not (wire contract section 5).

Clocks are read restrictively. A permit counts from the moment of its check up to its end, judged by when the message was sent: a sender
whose clock is behind has its message sent before the check, one whose clock is ahead has it sent after the permit's end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sayso.rules.answer import Logged
from sayso.rules.times import MINUTE, SECOND
from sayso.rules.tokens import BadToken, Permit, Ring, read, read_permit

WINDOW: Final = MINUTE
"""How long before sending a verdict may have been given that counts without its permit: as long as a permit lives."""
CLOCKS_DIFFER: Final = SECOND
"""How much earlier than its check a message may seem to have been sent."""

CODES: Final[Mapping[str, str]] = {
    "no_permit": "There was no permit, and nobody asked within the minute before it was sent.",
    "permit_invalid": "The permit was not signed by this hub, or was changed.",
    "permit_expired": "The permit had ended when the message was sent.",
    "permit_of_another": "The permit was for another person, channel, category or brand.",
    "permit_unknown": "The check behind the permit is not in the log.",
    "sent_before_check": "The message was sent before the check that its permit stands for.",
    "sent_against_verdict": "The check before it had answered that it must not be sent.",
    "sent_against_choice": "The person had said no, or the address was blocked, when it was sent.",
}
"""Every violation by its code, with a sentence for people."""


@dataclass(frozen=True, slots=True)
class Send:
    """One message as it was sent: the moment (microseconds), its channel and category, its brand (``*``: none named)."""

    at: int
    channel: str
    category: str
    brand: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A permit that came with a message: what it says (None for one that proves nothing)."""

    permit: Permit | None


def shown_permit(ring: Ring, text: str) -> Shown:
    """The permit that a text stands for; an expired one too, since what counts is when the message was sent."""
    try:
        return Shown(read_permit(read(ring, text, kinds={"permit"}, now=0)))
    except BadToken:
        return Shown(None)


def by_permit(send: Send, permit: Permit, logged: Logged | None, *, same_person: bool) -> str:
    """The code of what is wrong with a message's permit, "" where it covers the message."""
    if logged is None:
        return "permit_unknown"
    if not permit.covers(send.channel, send.category) or not same_person or not same_brand(send, logged):
        return "permit_of_another"
    if not logged.verdict.allowed:
        return "sent_against_verdict"
    if send.at < logged.at - CLOCKS_DIFFER:
        return "sent_before_check"
    if send.at >= permit.expires_at:
        return "permit_expired"
    return ""


def by_verdict(nearest: Logged | None) -> str:
    """The code of what is wrong by the newest verdict of the minute before, "" where that allowed the message."""
    if nearest is None:
        return "no_permit"
    return "" if nearest.verdict.allowed else "sent_against_verdict"


def same_brand(send: Send, logged: Logged) -> bool:
    """Whether a verdict speaks for the message's brand; one without a brand was judged against all of them."""
    return logged.brand in ("", send.brand)
