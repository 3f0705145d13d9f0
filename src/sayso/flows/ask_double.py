"""Ask for a double opt-in: the owner of an address is mailed whether they want it. Until they say so nothing is opted in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sayso.contracts.book import Book, Key
from sayso.contracts.ground import Ground
from sayso.contracts.letters import DoubleOptIn, Letters, Limit, Pending
from sayso.flows.meet import meet
from sayso.rules import view
from sayso.rules.ids import RANDOM_BYTES, uuid7
from sayso.rules.statements import Row
from sayso.rules.times import DAY, MINUTE
from sayso.rules.words import Scope

LIFE: Final = 7 * DAY
LIMITS: Final = ((3, 15 * MINUTE), (10, DAY))
"""Letters to one address: enough for somebody who changes their mind on a page, too few to bury a mailbox."""


class NotMailed(Exception):
    """Nothing may be mailed to this address; `rule` is the block that stands against it."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


class TooMany(Exception):
    """An address was asked too often lately; `wait` is after how many microseconds it may be asked again."""

    def __init__(self, wait: int) -> None:
        super().__init__(f"again in {wait} µs")
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Wanted:
    """A sign-up: whom it is for, the address that is to confirm it, for what, and what is kept with the consent (IP, wording, …)."""

    contact: Key | None
    address: Key
    scopes: tuple[Scope, ...]
    language: str = ""
    personal: Mapping[str, Any] = field(default_factory=dict, repr=False)


async def ask_double(wanted: Wanted, *, letters: Letters, book: Book, ground: Ground) -> Pending:
    """The sign-up that waits now: a new one, or the one that was asked for already, whose mail is sent once more as far as limits allow.

    Whoever was unknown is made, without any choice. Raises NotMailed, TooMany and Unavailable.
    """
    page = await meet((wanted.contact, wanted.address), book=book, ground=ground)
    address, contact = page.row(wanted.address), page.row(wanted.contact)
    assert address is not None  # it was met
    if rule := _stopped(address, contact):
        raise NotMailed(rule)
    now, limits = ground.clock(), [Limit(f"double\0{wanted.address.value}", *limit) for limit in LIMITS]
    whose = (contact.sub if contact else "", address.sub)
    for one in await letters.open_pending([address.sub], now):
        if (one.contact, one.address) == whose and set(one.scopes) == set(wanted.scopes):
            await letters.put_limited(address.sub, _matter(one, wanted.language), now=now, limits=limits)
            return one
    made = uuid7(now, ground.chance(RANDOM_BYTES), int(address.sub[:2], 16))
    pending = Pending(made, *whose, wanted.scopes, now, now + LIFE, personal=wanted.personal)
    if not await letters.wait_for(pending, _matter(pending, wanted.language), now=now, limits=limits):
        raise TooMany(LIMITS[0][1])
    return pending


def _matter(pending: Pending, language: str) -> DoubleOptIn:
    return DoubleOptIn(pending.id, pending.contact, pending.address, pending.scopes, pending.expires_at, language)


def _stopped(address: Row, contact: Row | None) -> str:
    """The block that forbids asking; "" for none. A complaint forbids it too: the person has said that our mail is not welcome."""
    blocks = {*view.blocks_of(address.state), *(("blacklist",) if contact and "blacklist" in view.blocks_of(contact.state) else ())}
    return next(iter(sorted(blocks - {"soft_bounce"})), "")
