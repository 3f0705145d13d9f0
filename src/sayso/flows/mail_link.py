"""Mail a link: a fresh one, to the very address it is about. The same answer and the same work whether or not anybody is known there."""

from typing import Final

from sayso.contracts.book import Book, Key, Page
from sayso.contracts.ground import Ground
from sayso.contracts.letters import FreshLink, Letters, Limit
from sayso.contracts.people import Opened
from sayso.flows.record import key_of
from sayso.rules.subjects import CONTACT, parse_address
from sayso.rules.times import DAY, HOUR, MINUTE
from sayso.rules.words import ANY, Scope

EACH_ADDRESS: Final = ((1, 15 * MINUTE), (5, DAY))
EACH_NETWORK: Final = (30, HOUR)
"""An office behind one address may lose its mails on the same day; nobody needs more."""
EVERYBODY: Final = (2_000, HOUR)
"""What all of them together may have us send: a flood with many addresses from many networks ends here."""


async def mail_link(
    to: str | Opened, *, brand: str = ANY, language: str = "", network: str, letters: Letters, book: Book, ground: Ground
) -> None:
    """Nothing, whoever is known and whatever the limits say: the answer is the same for everybody.

    `to` is what somebody typed, or the link they hold: then the mail goes to the address that link reaches. `network` is the asker's
    (rules of the door). Unknown addresses are not written down. Raises InvalidAddress for what is no address, and Unavailable.
    """
    if isinstance(to, Opened):
        asked, contact = (to.email, to.contact) if not to.gone else (None, None)
        key = Key(asked.kind, asked.value, asked.given) if asked else None
        scope, campaign, message = to.link.scope, to.link.campaign, to.link.message
    else:
        key, contact = key_of(parse_address("email", to, default_region=None)), None
        scope, campaign, message = Scope(brand, "email", ANY), "", ""
    if key is None:
        return
    page = await book.read([key] if contact is None else [key, contact])
    row = page.row(key)
    sub = row.sub if row else ""
    matter = FreshLink(_contact(page, key, contact), sub, scope, language, campaign, message)
    limits = [Limit(f"address\0{key.value}", *limit) for limit in EACH_ADDRESS]
    limits += [Limit(f"network\0{network}", *EACH_NETWORK), Limit("everybody", *EVERYBODY)]
    await letters.put_limited(sub or None, matter, now=ground.clock(), limits=limits)


def _contact(page: Page, address: Key, contact: Key | None) -> str:
    """The pseudonym of the contact the link names: the one that was asked for, else the only one at this address; "" where several share it."""
    row = page.row(contact)
    if row is not None:
        return row.sub
    at = page.row(address)
    owners = [one.sub for one in page.linked(at) if one.kind == CONTACT] if at else []
    return owners[0] if len(owners) == 1 else ""
