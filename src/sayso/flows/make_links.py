"""Make links: for messages that are about to be sent, one token a message that opens its recipient's pages and stops its category."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sayso.contracts.book import Book, Key
from sayso.contracts.ground import Ground
from sayso.contracts.messages import MailKeys
from sayso.flows.meet import meet
from sayso.rules.tokens import Link, Ring, sign_link
from sayso.rules.words import Scope


@dataclass(frozen=True, slots=True)
class Wanted:
    """A link that somebody wants: for this contact, at this address (one of the two at least), for one scope, in one message."""

    contact: Key | None
    address: Key | None
    scope: Scope
    campaign: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """A link of ours: its token works for ever and can only restrict. `mail_key` is None where no mailbox takes opt-outs."""

    link: Link
    token: str = field(repr=False)
    mail_key: str | None = field(default=None, repr=False)


async def make_links(wanted: Sequence[Wanted], *, book: Book, ring: Ring, mail_keys: MailKeys | None, ground: Ground) -> list[Made]:
    """The links in order; the same wish gives the same link while one key of the ring signs.

    Whoever was unknown is made. A person's choices and addresses are not touched. Raises Unavailable, and ValueError for ids that make
    a token too long.
    """
    page = await meet((key for one in wanted for key in (one.contact, one.address)), book=book, ground=ground)

    def sub(key: Key | None) -> bytes | None:
        return bytes.fromhex(page.keys[key]) if key else None

    links = [Link(sub(one.contact), sub(one.address), one.scope, one.campaign, one.message) for one in wanted]
    keys: Sequence[str | None] = await mail_keys.keep(links) if mail_keys and links else [None] * len(links)
    return [Made(link, sign_link(ring, link), key) for link, key in zip(links, keys, strict=True)]
