"""Meet: people whom somebody names, as rows; who was unknown is known from then on, about whom nothing was said."""

import asyncio
from collections.abc import Iterable

from sayso.contracts.book import Book, Key, Page
from sayso.contracts.ground import Ground
from sayso.flows.record import Said, record
from sayso.rules.statements import Voice
from sayso.rules.subjects import CONTACT


async def meet(named: Iterable[Key | None], *, book: Book, ground: Ground) -> Page:
    """The rows of everybody named, with what they are linked to. Makes no entry and changes no state. Raises Unavailable."""
    keys = list(dict.fromkeys(key for key in named if key is not None))
    page = await book.read(keys)
    missing = [key for key in keys if key not in page.keys]
    if not missing:
        return page
    voice = Voice("api", False, "", "")
    said = [Said(voice, contact=key) if key.kind == CONTACT else Said(voice, address=key) for key in missing]
    await asyncio.gather(*(record(one, book=book, ground=ground) for one in said))
    return await book.read(keys)
