"""Links to people's own pages as the console gives them out: to the tour, and by mail at the request of the person."""

from typing import Final

from sayso.contracts.book import Key
from sayso.flows.mail_link import mail_link
from sayso.flows.record import Recorded, Said, record
from sayso.rules.statements import Happen
from sayso.rules.subjects import CONTACT
from sayso.rules.tokens import Link, sign_link
from sayso.rules.words import Scope
from sayso.web.console.acts import VOICE
from sayso.web.console.parts import Console
from sayso.web.console.reading import Profile

DEED: Final = "link"
MAILED: Final = "support.link_mailed"
"""What the person's own history calls it."""
NETWORK: Final = "console"


def page_of(profile: Profile, category: str, console: Console) -> str:
    """The path of somebody's preference page, as the link in a mail of this category names it."""
    found: dict[str, bytes] = {row.kind: bytes.fromhex(row.sub) for row in reversed(profile.reached)}
    link = Link(found.get(CONTACT), found.get("email"), Scope("*", "email", category), "spring-26", "")
    return f"/preferences/{sign_link(console.ring, link)}"


async def mail_fresh_link(key: Key, email: str, reason: str, console: Console) -> Recorded:
    """What was recorded: support had a fresh link mailed to the person's address, and why. At most one goes out in fifteen minutes."""
    ground = await console.ground()
    contact, address = (key, None) if key.kind == CONTACT else (None, key)
    said = Said(VOICE, (Happen(MAILED),), contact, address, personal={"reason": reason})
    recorded = await record(said, book=console.book, ground=ground)
    await mail_link(email, network=NETWORK, letters=console.letters, book=console.book, ground=ground)
    return recorded
