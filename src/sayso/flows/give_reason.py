"""Give reason: what a person adds in their own words, afterwards and only if they want to. It changes no choice."""

from collections.abc import Mapping
from typing import Any, Final

from sayso.contracts.book import Book
from sayso.contracts.ground import Ground
from sayso.contracts.people import Opened
from sayso.flows.choose import Manner, NobodyHere
from sayso.flows.record import Said, record
from sayso.rules.statements import Happen

REASON: Final = "preference_reason"
NOT_RELEVANT: Final = "not_relevant"


async def give_reason(opened: Opened, event: str, properties: Mapping[str, Any], manner: Manner, *, book: Book, ground: Ground) -> str:
    """The id of the event that keeps it; `properties` name the entries or the message it is about. Raises Unavailable, NobodyHere."""
    if opened.gone:
        raise NobodyHere
    personal = {**(manner.personal or {}), "properties": dict(properties)}
    said = Said(manner.voice(), (Happen(event),), opened.contact, opened.address, personal=personal)
    done = await record(said, book=book, ground=ground)
    assert done.ruling is not None  # it carries no key of a repeat, so it is always written
    return done.ruling.entries[0].id
