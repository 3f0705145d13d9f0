"""The mail gateway of example.org: it pressed every link in a mail to the people there, seconds apart. The hub finds out by itself."""

from typing import Final

from sayso.contracts.ground import Ground
from sayso.demo.connecting import LIVE
from sayso.demo.seed import contact_key, email_key
from sayso.demo.story import CAST, Contact, contacts, person, relayed
from sayso.flows.record import Said, act_of
from sayso.rules.statements import Choose, Happen
from sayso.rules.times import SECOND
from sayso.rules.words import ANY, Scope
from sayso.store.book import PostgresBook

HOST: Final = "@example.org"
PRESSED: Final = 6
NETWORK: Final = "198.51.100."
AGENT: Final = "Mozilla/5.0 (compatible; LinkScan/2.1; mail gateway)"


def victims(people: int) -> tuple[Contact, ...]:
    """The people it pressed for: some of the last made-up ones, nobody of the tour."""
    there = [one for one in contacts(people)[: -LIVE or None] if one.email.endswith(HOST) and one not in CAST]
    return tuple(there[-PRESSED:])


async def press(people: int, *, book: PostgresBook, ground: Ground) -> None:
    """A mail reaches each of them, and seconds later it presses. Raises whatever the first statement that could not be kept raised."""
    now, there = ground.clock(), tuple(enumerate(victims(people)))
    word = Choose(Scope(ANY, "email", "promotional"), out=True)
    came = [
        Said(relayed("webshop"), (Happen("mail.delivered"),), address=email_key(one), given_ts=now - (2 + n) * SECOND) for n, one in there
    ]  # fmt: skip
    pressed = [
        Said(
            person("preference_center"), (word,), contact_key(one), email_key(one),
            personal={"ip": f"{NETWORK}{20 + n}", "user_agent": AGENT, "language": "en"},
        )
        for n, one in there
    ]  # fmt: skip
    for said in (came, pressed):
        for became in await book.write_all([act_of(one, ground) for one in said]):
            if isinstance(became, Exception):
                raise became
