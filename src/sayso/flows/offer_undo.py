"""Offer undo: an operator's one act for a whole burst. Nothing is undone by it: each of the people is asked, and decides."""

from dataclasses import replace
from uuid import UUID

from sayso.contracts.book import Book
from sayso.contracts.bursts import Burst, Bursts, Offered
from sayso.contracts.ground import Ground
from sayso.flows.note_config import note_config


class NoSuchBurst(LookupError):
    """No burst has this id."""


class AlreadyOffered(Exception):
    """The people of this burst were asked before; nobody is asked twice."""

    def __init__(self, offered: Offered) -> None:
        super().__init__("the people of this burst were asked before")
        self.offered = offered


async def offer_undo(burst: UUID, reason: str, caller: str, *, bursts: Bursts, book: Book, ground: Ground) -> Burst:
    """The burst, closed; the worker puts a letter to each of its people (flows/ask_meant.py).

    1. The ledger keeps who offered and why, before anything happens. 2. The burst is closed: a second offer is refused, later opt-outs
    make a burst of their own. A crash in between leaves an entry without an offer, and the offer can be made again.
    `caller` as the ledger names them. Raises NoSuchBurst, AlreadyOffered and Unavailable.
    """
    found = await bursts.burst(burst)
    if found is None:
        raise NoSuchBurst(str(burst))
    if found.offered is not None:
        raise AlreadyOffered(found.offered)
    detail = {"burst": str(burst), "people": found.people, "reason": reason}
    entry = await note_config("burst_offered", detail, caller, book=book, ground=ground)
    offered = Offered(ground.clock(), caller, entry)
    if not await bursts.offer(burst, offered):
        again = await bursts.burst(burst)
        raise AlreadyOffered(again.offered if again and again.offered else offered)
    return replace(found, offered=offered)
