"""The story of Northwind Outfitters: who its made-up contacts are and what they said. The same seed tells the same story.

Nothing in it is real: addresses end in example.com, .org or .net, phone numbers are 555-01xx (both are reserved for examples).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from sayso.rules.statements import Block, Choose, Happen, Locate, Suspend, Voice, Word
from sayso.rules.times import DAY, HOUR, MINUTE, SECOND
from sayso.rules.words import ANY, Scope

SEED: Final = 1852
"""The year in which Ada Lovelace died; any other number tells another story."""
PEOPLE: Final = 5_000
DAYS: Final = 90
SPIKE_DAYS_AGO: Final = 23
SPIKE_REASON: Final = "three mails in one day"
CLIENTS: Final = (("webshop", "Webshop"), ("crm", "CRM"))
OUTLET: Final = "outlet"

_FIRST: Final = (
    "Amelia", "Bruno", "Carmen", "Dev", "Elif", "Farah", "Goran", "Hana", "Ines", "Jonas", "Kenji", "Leila", "Mateo", "Nadia", "Oskar",
    "Priya", "Quentin", "Rosa", "Samir", "Tara", "Umar", "Vera", "Wim", "Xenia", "Yusuf", "Zora", "Aiko", "Bela", "Chidi", "Dana",
)  # fmt: skip
_LAST: Final = (
    "Adler", "Becker", "Costa", "Dubois", "Eriksen", "Fischer", "Garcia", "Hughes", "Ito", "Jansen", "Kaur", "Larsen", "Moreau", "Novak",
    "Okafor", "Petrov", "Quinn", "Rossi", "Silva", "Tanaka", "Ueda", "Vargas", "Walker", "Xu", "Young", "Zeman",
)  # fmt: skip
_HOMES: Final = ("example.com", "example.org", "example.net")
_COUNTRIES: Final = (("US", 56), ("DE", 12), ("GB", 10), ("CA", 8), ("FR", 7), ("AU", 4), ("NL", 3))
_AREAS: Final = ("206", "312", "415", "503", "617", "702", "808", "917")
_OPTIONAL: Final = ("product_updates", "educational", "promotional", "events")
_WHY: Final = ("too many messages", "not relevant any more", "never signed up", "bought elsewhere", "")


@dataclass(frozen=True, slots=True)
class Contact:
    """One made-up contact; `phone` is empty for most."""

    id: str
    email: str
    country: str
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """Something a contact, or a system about them, said so many microseconds ago. `at_address`: it came through their e-mail address.

    The end of a pause is told from now on, too.
    """

    who: Contact
    ago: int
    voice: Voice
    words: tuple[Word, ...]
    at_address: bool = False
    reason: str = ""
    joins: bool = False
    """The first thing heard of them: makes the contact with its addresses."""


ADA: Final = Contact("c-1001", "ada@example.com", "US", "+1 206 555 0100")
ZOE: Final = Contact("c-1002", "zoe@example.org", "US")
OMAR: Final = Contact("c-1003", "omar@example.net", "US", "+1 312 555 0103")
MEI: Final = Contact("c-1004", "mei@example.com", "CA")
LARS: Final = Contact("c-1005", "lars@example.org", "DE")
NINA: Final = Contact("c-1006", "nina@example.net", "GB")
TOM: Final = Contact("c-1007", "tom@example.com", "US")
CAST: Final = (ADA, ZOE, OMAR, MEI, LARS, NINA, TOM)


def contacts(count: int, seed: int = SEED) -> tuple[Contact, ...]:
    """The named cast, then made-up contacts up to `count` in all."""
    chance = Random(seed)
    countries, weights = zip(*_COUNTRIES, strict=True)
    made = []
    for number in range(max(0, count - len(CAST))):
        first, last = chance.choice(_FIRST), chance.choice(_LAST)
        email = f"{first}.{last}{number}@{chance.choice(_HOMES)}".lower()
        phone = f"+1 {chance.choice(_AREAS)} 555 01{number % 100:02}" if chance.random() < 0.15 else ""
        made.append(Contact(f"c-{2001 + number}", email, chance.choices(countries, weights)[0], phone))
    return CAST[:count] + tuple(made)


def story(count: int, seed: int = SEED) -> list[list[Told]]:
    """Everything that was said, in waves: within one wave everybody speaks once, and a later wave is later for each of them."""
    chance = Random(seed + 1)
    people = contacts(count, seed)
    lives = [_life_of_cast(one) if one in CAST else _life(one, chance) for one in people]
    longest = max((len(life) for life in lives), default=0)
    return [[life[n] for life in lives if n < len(life)] for n in range(longest)]


def person(source: str) -> Voice:
    """The person's own voice, as the webshop passes it on."""
    return Voice(source, own=True, actor="", via="c:webshop")


def relayed(client: str, source: str = "api") -> Voice:
    """What a system says about a person."""
    return Voice(source, own=False, actor=f"c:{client}:{source}", via=f"c:{client}")


def _joined(who: Contact, ago: int, chosen: Sequence[str]) -> Told:
    wishes = tuple(Choose(Scope(ANY, "email", category), out=False) for category in chosen)
    voice = person("double_opt_in") if chosen else relayed("crm", "import")
    return Told(who, ago, voice, (Locate(who.country), *wishes), joins=True)


def _life(who: Contact, chance: Random) -> list[Told]:
    """What one made-up contact said in the last ninety days."""
    joined = chance.randrange(SPIKE_DAYS_AGO * DAY + DAY, DAYS * DAY)
    chosen = [category for category in _OPTIONAL if chance.random() < 0.4]
    life = [_joined(who, joined, chosen)]
    fate = chance.random()
    later = chance.randrange(DAY + 2 * HOUR, joined - HOUR)  # what was said within a day would still be confirmed by mail
    if fate < 0.025:
        on_the_day = SPIKE_DAYS_AGO * DAY - chance.randrange(10 * HOUR)
        life.append(_left(who, on_the_day, "one_click", "promotional", SPIKE_REASON))
    elif fate < 0.10:
        source = chance.choice(("one_click", "email_link", "preference_center"))
        life.append(_left(who, later, source, chance.choice(_OPTIONAL), chance.choice(_WHY)))
    elif fate < 0.12:
        life.append(_left(who, later, "email_link", ANY, chance.choice(_WHY)))
    elif fate < 0.125:
        scope = Scope(OUTLET, "email", "promotional")
        life.append(Told(who, later, person("preference_center"), (Choose(scope, out=True),), reason="only the outlet mails"))
    elif fate < 0.135:
        life.append(Told(who, later, relayed("webshop"), (Happen("mail.bounce"), Block("hard_bounce", on=True)), at_address=True))
    elif fate < 0.145 and who.phone:
        life.append(Told(who, later, person("preference_center"), (Choose(Scope(ANY, "sms", ANY), out=True),)))
    elif fate < 0.20:
        life.append(Told(who, later, relayed("webshop"), (Happen(chance.choice(("mail.open", "mail.click", "webinar.registered"))),)))
    return life


def _left(who: Contact, ago: int, source: str, category: str, reason: str) -> Told:
    return Told(who, ago, person(source), (Choose(Scope(ANY, "email", category), out=True),), at_address=True, reason=reason)


def _life_of_cast(who: Contact) -> list[Told]:
    """What the people of the tour said; each of them shows one thing."""
    promotional = Scope(ANY, "email", "promotional")
    joined = _joined(who, 80 * DAY, ("product_updates", "promotional", "events"))
    if who is ADA:
        click = Told(who, 9 * DAY, relayed("webshop"), (Happen("mail.click"),))
        return [joined, click, Told(who, 2 * DAY, relayed("webshop"), (Happen("mail.open"),))]
    if who is ZOE:  # the conflict: she clicks off, and three seconds later a tool syncs what it knew before
        left = _left(who, 5 * DAY, "one_click", "promotional", "too many messages")
        late = Told(who, 5 * DAY - 3 * SECOND, _explicit("crm"), (Choose(promotional, out=False),), reason="nightly sync: subscribed")
        return [joined, left, late]
    if who is OMAR:  # came back
        left = _left(who, 40 * DAY, "email_link", "promotional", "on holiday")
        return [joined, left, Told(who, 12 * DAY, person("preference_center"), (Choose(promotional, out=False),))]
    if who is MEI:
        return [joined, Told(who, 3 * DAY, person("preference_center"), (Suspend(ANY, 27 * DAY),), reason="travelling")]
    if who is LARS:
        everything = (Choose(Scope(ANY, ANY, ANY), out=True),)
        return [joined, Told(who, 30 * DAY, person("support_request"), everything, reason="called the hotline")]
    if who is NINA:
        return [joined, Told(who, 8 * DAY, relayed("webshop"), (Happen("mail.bounce"), Block("hard_bounce", on=True)), at_address=True)]
    words = (Happen("mail.complaint"), Block("complaint", on=True), Choose(Scope(ANY, "email", ANY), out=True))
    return [joined, Told(who, 15 * DAY + 20 * MINUTE, person("email_link"), words, at_address=True, reason="reported as spam")]


def _explicit(client: str) -> Voice:
    return Voice("api", own=False, actor=f"c:{client}:api", via=f"c:{client}", method="explicit")
