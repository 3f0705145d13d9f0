"""A crowd of random people in every kind of state, put straight into a database, and the ways somebody might write their names."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg

from hub import PEPPER
from sayso.rules.entries import Entry
from sayso.rules.state import EMPTY, State, fold, to_bytes
from sayso.rules.subjects import InvalidAddress, aliases, parse_address, subject_id
from sayso.rules.words import Scope

SECOND = 1_000_000
NOW = 1_795_000_000 * SECOND
FAR = 4_000_000_000 * SECOND
BRANDS = ("*", "*", "*", "outlet", "main", "odd ' \"brand")
CATEGORIES = ("*", "promotional", "promotional", "events", "product_updates")
COUNTRIES = ("US", "US", "US", "DE", "CA", "FR", "GB", "JP")
DOMAINS = ("example.com", "shop.example", "mail.test", "gmail.com", "gmail.com", "googlemail.com", "münchen.example", "a-b.example.org")


@dataclass
class One:
    """A subject while it is being made up."""

    kind: str
    value: str
    sub: str
    state: State = EMPTY


@dataclass
class Crowd:
    """Everybody, and the rows of an audience that names some of them, strangers, and nonsense."""

    chance: random.Random
    subjects: dict[tuple[str, str], One] = field(default_factory=dict)
    made: int = 0

    def subject(self, kind: str, value: str) -> One:
        if (kind, value) not in self.subjects:
            shard = subject_id(PEPPER, kind, value)[0]
            self.subjects[kind, value] = One(kind, value, (bytes([shard]) + self.chance.randbytes(15)).hex())
        return self.subjects[kind, value]

    def say(self, one: One, kind: str, **more: object) -> None:
        self.made += 1
        plain = {"sub": one.sub, "at": NOW, "ts": NOW - self.ago(), "act": kind, "src": "api", "via": "c:shop"}
        by = self.chance.choice(("c:shop", "c:crm", f"p:{one.sub}", "c:shop/spread"))
        entry = Entry(**{"id": f"019aa7b2-0000-7000-8000-{self.made:012x}", "kind": kind, "by": by, **plain, **more})  # type: ignore[arg-type]  # made up
        one.state = fold(one.state, entry)

    def ago(self) -> int:
        """A moment that others share, that lies within a conflict window of others, or that stands alone."""
        return (
            self.chance.choice((self.chance.randrange(40), 86_400 * self.chance.randrange(1, 90), 20 * self.chance.randrange(5))) * SECOND
        )

    def tie(self, contact: One, address: One, *, primary: bool) -> None:
        self.say(contact, "link", other=address.sub, other_kind=address.kind, primary=primary)
        self.say(address, "link", other=contact.sub, other_kind="contact")

    def speak(self, one: One, about: Sequence[str]) -> None:
        """Something that was said about, or happened to, somebody."""
        chance = self.chance
        match chance.randrange(14):
            case 0 | 1 | 2 | 3 | 4 | 5 | 6:
                self.choose(one, about)
            case 7:
                act = chance.choice(("hard_bounce", "complaint", "blacklist", "carrier_stop", "soft_bounce"))
                self.say(one, "block", act=act, new=chance.choice(("set", "set", "lifted")))
            case 8:
                for _ in range(chance.choice((4, 5, 6))):
                    self.say(one, "block", act="soft_bounce", new="set")
            case 9:
                self.say(one, "event", act="mail.delivered", effect="stored")
            case 10:
                until = chance.choice((0, NOW - 400 * 86_400 * SECOND, FAR))
                self.say(one, "pause", scope=Scope(chance.choice(BRANDS), "*", "*"), until=until)
            case _:
                self.say(one, "place", act="place", new=chance.choice(COUNTRIES))

    def choose(self, one: One, about: Sequence[str]) -> None:
        chance = self.chance
        out = chance.random() < 0.5
        scope = Scope(chance.choice(BRANDS), chance.choice(("email", "email", "*", "sms")), chance.choice(CATEGORIES))
        strong = out or chance.random() < 0.7
        method = "explicit" if strong else chance.choice(("implicit", "grandfathered", "explicit"))
        self.say(
            one, "choice", act="choice", scope=scope, new="opted_out" if out else "opted_in", own=chance.random() < 0.4, strong=strong,
            method=method, about=chance.choice(("", *about)),
        )  # fmt: skip

    def email(self, n: int) -> str:
        chance = self.chance
        local = chance.choice(("ada", "Ada.Lovelace", "ben_x", "chris-y", "ä.ö", "a.b.c")) + str(n)
        tag = chance.choice(("", "", "", "+shop"))
        return f"{local}{tag}@{chance.choice(DOMAINS)}"

    def phone(self, n: int) -> str:
        return f"+1206555{n % 10_000:04d}"

    def grow(self, people: int) -> None:
        """Adds contacts with their addresses, leads, households that share an address, and look-alikes that said something."""
        chance = self.chance
        for n in range(people):
            emails = [self._address("email", self.email(n))]
            if chance.random() < 0.15:
                emails.append(self._address("email", self.email(n + 10 * people)))
            phones = [self._address("sms", self.phone(n))] if chance.random() < 0.2 else []
            contacts = [self.subject("contact", f"c-{n}")] if chance.random() < 0.75 else []
            if contacts and chance.random() < 0.1:
                contacts.append(self.subject("contact", f"c-{n}-b"))
            for contact in contacts:
                for address in (*emails, *phones):
                    if chance.random() < 0.9:
                        self.tie(contact, address, primary=chance.random() < 0.6)
            everybody = [*emails, *phones, *contacts]
            about = [contact.sub for contact in contacts]
            for _ in range(chance.choice((0, 0, 0, 1, 1, 2, 3, 5))):
                self.speak(chance.choice(everybody), about)
            self._mirrored(emails)

    def _address(self, channel: str, raw: str) -> One:
        found = parse_address(channel, raw, default_region=None)
        return self.subject(found.kind, found.value)

    def _mirrored(self, emails: Sequence[One]) -> None:
        for one in emails:
            for other in aliases(parse_address("email", one.value, default_region=None))[1:]:
                if self.chance.random() < 0.3:
                    self.speak(self.subject("email", other.value), [])

    def rows(self, count: int) -> list[dict[str, str]]:
        """Rows as somebody's export might have them: known people in odd spellings, strangers, nonsense."""
        chance = self.chance
        known = list(self.subjects.values())
        return [self._row(chance.choice(known), n) for n in range(count)]

    def _row(self, one: One, n: int) -> dict[str, str]:
        chance = self.chance
        row = {"contact_id": "", "address": "", "country": "", "business_unit": ""}
        if chance.random() < 0.3:
            row["country"] = chance.choice((*COUNTRIES, "us"))
        if chance.random() < 0.2:
            row["business_unit"] = chance.choice((*BRANDS, "never heard of"))
        if one.kind == "contact":
            row["contact_id"] = one.value
            linked = list(one.state.links)
            if linked and chance.random() < 0.5:
                sub = chance.choice(linked)
                row["address"] = (
                    next(other.value for other in self.subjects.values() if other.sub == sub) if len(self.subjects) < 500 else ""
                )
            if chance.random() < 0.1:
                row["address"] = self.email(n)
            return row
        row["address"] = self.spelt(one)
        if chance.random() < 0.05:
            row["contact_id"] = chance.choice((f"c-{chance.randrange(50)}", "who?", "c-é"))
        return row

    def spelt(self, one: One) -> str:
        chance = self.chance
        value = one.value
        match chance.randrange(12):
            case 0:
                return value.upper() if value.isascii() else value
            case 1:
                return f"  {value} "
            case 2:
                local, at, domain = value.partition("@")
                return f"{local}+tag{at}{domain}"
            case 3 if value.endswith("@gmail.com"):
                return f"{value[0]}.{value[1:]}"
            case 4:
                return chance.choice(("nonsense", "a b@example.com", "ada@localhost", '"ada"@example.com', "+12065550100", "ada@ex--ample.com",
                                      "ada@münchen.example", "not-yet-seen@example.com", "new.one@gmail.com", "", "\x07@example.com"))  # fmt: skip
            case _:
                return value


async def settle(dsn: str, crowd: Crowd) -> None:
    """Puts everybody into the database."""
    rows = []
    for one in crowd.subjects.values():
        subject = subject_id(PEPPER, one.kind, one.value)
        state = one.state
        rows.append(
            (subject[0], subject, one.kind, bytes.fromhex(one.sub), b"", state.version, state.length, b"", state.last_at, to_bytes(state))
        )
    connection = await asyncpg.connect(dsn)
    try:
        columns = ["shard", "id", "kind", "pseudonym", "sealed", "version", "length", "head", "last_at", "state"]
        await connection.copy_records_to_table("subject", records=rows, columns=columns)
        await connection.execute("ANALYZE subject")
    finally:
        await connection.close()


def is_address(channel: str, raw: str) -> bool:
    try:
        parse_address(channel, raw, default_region=None)
    except InvalidAddress:
        return False
    return True
