"""Open a link: from a token in a URL to the person it is about. Reads only; a link that expired as fresh goes on as an ordinary one."""

from sayso.contracts.book import Book, Key, Page
from sayso.contracts.ground import Ground
from sayso.contracts.people import Opened
from sayso.flows.portray import united
from sayso.rules.subjects import ADDRESS_KIND, CONTACT, Address, InvalidAddress, parse_address, parse_contact_id
from sayso.rules.tokens import BadToken, Link, Ring, read, read_link


async def open_link(text: str, *, book: Book, ring: Ring, ground: Ground) -> Opened:
    """What the token opens. Raises BadToken (malformed, unknown_key, forged, wrong_kind) and Unavailable."""
    fresh = True
    try:
        token = read(ring, text, kinds=("link", "fresh_link"), now=ground.clock())
        fresh = token.kind == "fresh_link"
    except BadToken as bad:
        if bad.reason != "expired" or bad.token is None:
            raise
        token, fresh = bad.token, False
    return await opened(read_link(token), text, fresh=fresh, book=book, ground=ground)


async def opened(link: Link, token: str, *, fresh: bool, book: Book, ground: Ground) -> Opened:
    """The people behind a link's pseudonyms, as they stand now."""
    subs = [sub.hex() for sub in (link.contact, link.address) if sub]
    rows = await book.read_subs(subs)
    names = await book.names(sorted(rows))
    keys = {sub: key for sub in rows if sub in names and (key := key_named(rows[sub].kind, names[sub], ground.default_country))}
    contact = next((keys[sub] for sub in subs if sub in keys and rows[sub].kind == CONTACT), None)
    address = next((keys[sub] for sub in subs if sub in keys and rows[sub].kind != CONTACT), None)
    page = Page({key: sub for sub, key in keys.items() if sub in subs}, rows)
    about = page.row(contact or address)
    near = (address, *(keys.get(one.sub) for one in page.linked(about))) if about is not None else ()
    reached = next((key for key in near if key is not None and key.kind == "email"), None)
    readings = united(about, page) if about is not None else ()
    email = Address(reached.kind, reached.value, reached.given) if reached else None
    return Opened(link, token, fresh, contact, address, email, page, about, readings)


def key_named(kind: str, given: str, region: str | None) -> Key | None:
    """The key of a subject by its kind and its name as it was given; None for one that today's rules cannot read: it stays denied."""
    try:
        if kind == CONTACT:
            return Key(CONTACT, parse_contact_id(given), given)
        address = parse_address(_CHANNEL[kind], given, default_region=region)
    except (InvalidAddress, KeyError):
        return None
    return Key(address.kind, address.value, address.given)


_CHANNEL = {kind: channel for channel, kind in reversed(list(ADDRESS_KIND.items()))}
"""A channel for each kind of address, to read its spelling by."""
