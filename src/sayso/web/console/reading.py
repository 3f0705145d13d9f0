"""One person as their page shows them: who they are, how they stand, what happened, and how far every system is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sayso.contracts.book import Key, Noted, Page, readings_of, version_of
from sayso.contracts.gatehouse import Found
from sayso.contracts.ground import Ground
from sayso.flows.check import Question, people_of
from sayso.flows.record import key_of
from sayso.rules import view
from sayso.rules.gate import Ask, may_send
from sayso.rules.statements import Row
from sayso.rules.subjects import Address, InvalidAddress, aliases, parse_address, parse_contact_id
from sayso.rules.view import Reading
from sayso.rules.words import ANY, Scope
from sayso.web.console import wording
from sayso.web.console.parts import Console
from sayso.web.console.wording import Moment, Standing

ENTRIES = 200
"""How many of the newest entries a page shows."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel: whether it is stopped as a whole."""

    name: str
    title: str
    out: bool


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything a person's page shows, besides how far the systems are. `stopped`: everything is; `paused_until` in microseconds.

    `reached` are the rows of the person: their own, then those it is linked to.
    """

    row: Row
    reached: tuple[Row, ...]
    contact_id: str | None
    email: str | None
    addresses: tuple[tuple[str, str], ...]
    country: str | None
    version: int
    tone: str
    sentence: str
    standings: tuple[Standing, ...]
    channels: tuple[Channel, ...]
    brands: tuple[str, ...]
    stopped: bool
    paused_until: int | None
    blacklisted: bool
    moments: tuple[Moment, ...]
    subs: tuple[str, ...]

    @property
    def title(self) -> str:
        """What the page is called."""
        return self.email or self.contact_id or (self.addresses[0][1] if self.addresses else "Erased")

    @property
    def said_by(self) -> str:
        """The id of the program or connection through which the newest choice that stands came."""
        words = [one for one in self.moments if one.new and not one.lost and not one.quiet]
        return max(words, key=lambda one: one.id).through if words else ""

    @property
    def query(self) -> str:
        """What finds this page again."""
        return self.contact_id or self.title


def keys_meant(query: str) -> tuple[Key, ...]:
    """What a search text may mean: a contact id, an e-mail address, a phone number."""
    found = []
    try:
        contact = parse_contact_id(query.strip())
        found.append(Key("contact", contact, contact))
    except InvalidAddress:
        pass
    for channel in ("email", "sms"):
        try:
            found.append(key_of(parse_address(channel, query, default_region="US")))
        except InvalidAddress:
            continue
    return tuple(found)


async def find(query: str, console: Console) -> tuple[Key, Page] | None:
    """The subject that a search text names, with everything read about it; the contact where an address belongs to just one."""
    keys = keys_meant(query)
    page = await console.book.read(keys) if keys else Page({}, {})
    for key in keys:
        row = page.known(key)
        if row is None:
            continue
        contacts = [sub for sub, link in row.state.links.items() if link.kind == "contact"] if row.kind != "contact" else []
        if len(contacts) == 1:
            names = await console.book.names(contacts)
            if contacts[0] in names:
                owner = Key("contact", names[contacts[0]], names[contacts[0]])
                return owner, await console.book.read([owner])
        return key, page
    return None


async def profile(key: Key, page: Page, console: Console) -> Profile:
    """The profile of one subject."""
    ground = await console.ground()
    row = page.row(key)
    assert row is not None  # find() gives only what exists
    linked = page.linked(row)
    subs = tuple(dict.fromkeys([row.sub, *(one.sub for one in linked if row.kind == "contact")]))
    noted = await _entries(subs, console)
    others = [str(other) for one in noted if (other := one.fields.get("x", {}).get("other"))]
    names = await console.book.names([row.sub, *(one.sub for one in linked), *others])
    readings = readings_of(row, linked)
    reached = [row] if row.kind != "contact" else [one for one in linked if one.kind != "contact"]
    addresses = [(one.kind, names[one.sub]) for one in reached if one.sub in names]
    looks = await _lookalikes(next((value for kind, value in addresses if kind == "email"), ""), console)
    standings = tuple(_standings(row, linked, looks, names.get(row.sub, ""), readings, ground))
    tone, sentence = wording.summary(standings)
    owners = [row] if row.kind == "contact" else [one for one in linked if one.kind == "contact"]
    return Profile(
        row=row,
        reached=(row, *linked),
        contact_id=next((names[one.sub] for one in owners if one.sub in names), None),
        email=next((value for kind, value in addresses if kind == "email"), None),
        addresses=tuple(addresses),
        country=next((one.state.place.country for one in (row, *linked) if one.state.place), None),
        version=version_of(row, linked),
        tone=tone,
        sentence=sentence,
        standings=standings,
        channels=_channels(readings, ground),
        brands=view.brands_of(readings),
        stopped=view.is_out(readings, ANY, ANY, ground.window),
        paused_until=view.paused_until(readings, ANY, ground.clock()),
        blacklisted=view.is_blacklisted(readings),
        moments=await _moments(noted, names, console, ground),
        subs=subs,
    )


async def _lookalikes(email: str, console: Console) -> tuple[Row, ...]:
    """The rows of other spellings of an address: they may only deny."""
    if not email:
        return ()
    keys = [key_of(other) for other in aliases(parse_address("email", email, default_region=None))[1:]]
    page = await console.book.read(keys) if keys else Page({}, {})
    return tuple(row for key in keys if (row := page.row(key)) is not None)


def _standings(
    row: Row, linked: Sequence[Row], looks: tuple[Row, ...], name: str, readings: tuple[Reading, ...], ground: Ground
) -> list[Standing]:  # fmt: skip
    """What a check of each category would answer now, for a mail to this contact or address."""
    around = {one.sub: one for one in linked}
    is_contact = row.kind == "contact"
    address = None if is_contact else Address(row.kind, name, name)
    found = Found(row if is_contact else None, None if is_contact else row, looks, around)
    contact = Key("contact", name, name) if is_contact else None
    shown = []
    for category in ground.catalogue.categories:
        question = Question(Ask("email", category), contact, address)
        verdict = may_send(
            question.ask, people_of(question, found), version=0, now=ground.clock(), window=ground.window,
            default_country=ground.default_country,
        )  # fmt: skip
        said = view.choice_at(readings, Scope(ANY, "email", category.key), ground.window) if category.refusable else ""
        shown.append(wording.standing(category, said, verdict, ground.catalogue))
    return shown


def _channels(readings: tuple[Reading, ...], ground: Ground) -> tuple[Channel, ...]:
    return tuple(
        Channel(name, wording.CHANNELS[name], view.is_out(readings, ANY, name, ground.window)) for name in view.channels_shown(readings)
    )


async def _entries(subs: Sequence[str], console: Console) -> list[Noted]:
    """The newest entries about the subjects, without the second copies that stand at an address as well."""
    noted = await console.book.entries(subs, kinds=(), after="", limit=ENTRIES, newest_first=True)
    known = {one.id for one in noted}
    return [one for one in noted if str(one.fields.get("x", {}).get("twin", "")) not in known]


async def _moments(noted: Sequence[Noted], names: Mapping[str, str], console: Console, ground: Ground) -> tuple[Moment, ...]:
    programs = {wording.program(str(one.fields[name])) for one in noted for name in ("by", "via")}
    actors = {"console": "support", **await console.desk.names(sorted(programs))}
    marks = await console.bursts.marks([one.id for one in noted])
    bursts = {burst: await console.bursts.burst(burst) for burst in set(marks.values())}
    suspected = {entry: wording.suspicion(found) for entry, burst in marks.items() if (found := bursts[burst]) is not None}
    lines = [replace(wording.moment(one, ground.catalogue, names, actors), suspected=suspected.get(one.id, "")) for one in noted]
    return tuple(sorted(lines, key=lambda line: (line.ts, line.id), reverse=True))
