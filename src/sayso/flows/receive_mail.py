"""Receive mail: what arrives at the mailbox for opt-outs stops what its key or token names, whatever else it says."""

from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

import structlog

from sayso.contracts.book import Book
from sayso.contracts.connector import Call
from sayso.contracts.ground import Ground
from sayso.contracts.inbox import Inbox
from sayso.contracts.mailer import Arrived
from sayso.contracts.messages import MailKeys
from sayso.flows.open_link import opened
from sayso.flows.record import Said, record
from sayso.rules.statements import Choose, Voice
from sayso.rules.tokens import BadToken, Kind, Link, Ring, read, read_link

log = structlog.get_logger("sayso.mail")

Outcome = Literal["opted_out", "repeated", "gone", "automatic", "odd"]
MAILBOX: Final = UUID("5a750000-0000-8000-8000-6d61696c0000")
"""The mailbox as the inbox names it, where calls have their connection."""
VIA: Final = "c:mail"
KINDS: Final[tuple[Kind, ...]] = ("link", "fresh_link")


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a mail: opted out, said before, about somebody erased, a machine's reply, or odd (kept for a person to look at)."""

    outcome: Outcome
    detail: str = ""


async def receive_mail(
    arrived: Arrived, *, book: Book, ring: Ring, mail_keys: MailKeys, inbox: Inbox, ground: Ground
) -> Taken:  # fmt: skip
    """The opt-out is recorded when this returns, with the person's own voice and the source `email_link`; who wrote is not looked at.

    Raises Unavailable: whoever brought the mail must bring it again.
    """
    if arrived.automatic:
        log.info("automatic reply ignored", why=arrived.automatic)
        return Taken("automatic", arrived.automatic)
    links = await _links(arrived, ring, mail_keys, ground)
    if not links:
        return await _odd(arrived, inbox, ground)
    outcomes = [await _stop(link, book, ground) for link in links]
    best = next(one for one in ("opted_out", "repeated", "gone") if one in outcomes)
    return Taken(best)


async def _links(arrived: Arrived, ring: Ring, mail_keys: MailKeys, ground: Ground) -> list[Link]:
    """What the mail names: keys of its recipients and its subject first; a token in its text counts only where there is none."""
    found = [link for key in arrived.keys if (link := await mail_keys.find(key))]
    for text in () if found else arrived.tokens:
        try:
            found.append(read_link(read(ring, text, kinds=KINDS, now=ground.clock())))
        except BadToken as bad:
            if bad.reason == "expired" and bad.token is not None:
                found.append(read_link(bad.token))
        if found:
            break
    return list(dict.fromkeys(found))


async def _stop(link: Link, book: Book, ground: Ground) -> Outcome:
    people = await opened(link, "", fresh=False, book=book, ground=ground)
    if people.contact is None and people.address is None:
        return "gone"
    voice = Voice("email_link", own=True, actor="", via=VIA)
    said = Said(voice, (Choose(link.scope, out=True),), people.contact, people.address)
    done = await record(said, book=book, ground=ground)
    assert done.ruling is not None  # it carries no key of a repeat, so it is always written
    return "repeated" if all(told.effect == "unchanged" for told in done.ruling.told) else "opted_out"


async def _odd(arrived: Arrived, inbox: Inbox, ground: Ground) -> Taken:
    """Keeps a mail that names nobody: somebody wanted something, and a person should look what it was."""
    kept = await inbox.keep(MAILBOX, Call("MAIL", (), (), arrived.raw, ground.clock(), ""))
    detail = "it names no key and no link of ours"
    await inbox.end(kept, "odd", detail)
    log.warning("odd mail kept", mail=str(kept.id), detail=detail)
    return Taken("odd", f"{detail}; kept as {kept.id}")
