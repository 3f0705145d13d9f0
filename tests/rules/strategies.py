"""Statements, entries and small worlds to try the rules on. Ada is the recipient; Q is somebody who shares her address."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hypothesis import strategies as st
from oracle import Link, Spoken

from sayso.contracts.book import Page, readings_of
from sayso.rules.catalogue import DEFAULT
from sayso.rules.decide import decide
from sayso.rules.entries import Entry
from sayso.rules.gate import ALLOWING, Ask, Person, Verdict, may_send
from sayso.rules.state import EMPTY, State, fold
from sayso.rules.statements import Row, Ruling, Statement, Told, Voice, Word
from sayso.rules.view import Reading
from sayso.rules.words import Scope

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
DAY: Final = 86_400 * SECOND
WINDOW: Final = 10 * SECOND
NOON: Final = 1_795_000_000 * SECOND

EVERYTHING: Final = Scope("*", "*", "*")
EMAIL: Final = Scope("*", "email", "*")
SMS: Final = Scope("*", "sms", "*")
PROMO: Final = Scope("*", "email", "promotional")
EVENTS: Final = Scope("*", "email", "events")
OUTLET_PROMO: Final = Scope("outlet", "email", "promotional")
OUTLET_EMAIL: Final = Scope("outlet", "email", "*")

ADA, QUINN = "0a" * 16, "0b" * 16
MAIL, OLD_MAIL, PHONE, TWIN_MAIL = "1a" * 16, "1b" * 16, "1c" * 16, "1d" * 16
KIND_OF: Final = {ADA: "contact", QUINN: "contact", MAIL: "email", OLD_MAIL: "email", PHONE: "phone", TWIN_MAIL: "email"}


def ident(number: int) -> str:
    """An entry id; greater numbers are greater ids."""
    return f"019aa7b2-0000-7000-8000-{number:012x}"


def entry(number: int, kind: str = "choice", **more: Any) -> Entry:
    """An entry of Ada's, applied, said by the shop at the second of its number unless told otherwise."""
    plain: dict[str, Any] = {"sub": ADA, "at": number, "ts": number, "act": kind, "src": "api", "by": "c:shop", "via": "c:shop"}
    return Entry(**{"id": ident(number), "kind": kind, **plain, **more})


def choice(number: int, scope: Scope, *, out: bool, **more: Any) -> Entry:
    """A strong choice unless told otherwise."""
    new = "opted_out" if out else "opted_in"
    return entry(number, scope=scope, new=new, **{"strong": True, "method": "explicit", **more})


def folded(entries: Iterable[Entry], start: State = EMPTY) -> State:
    state = start
    for one in entries:
        state = fold(state, one)
    return state


# What the shared model speaks of: two contacts, an address they may share, and few scopes, so that things collide.
scopes = st.sampled_from([EVERYTHING, EMAIL, PROMO, EVENTS, OUTLET_PROMO, OUTLET_EMAIL, Scope("outlet", "*", "*")])
MESSAGES: Final = (
    *(Scope(b, "email", k) for b in ("outlet", "main") for k in ("promotional", "events")), Scope("outlet", "sms", "promotional"),
)  # fmt: skip


@st.composite
def spoken(draw: st.DrawFn, number: int) -> Spoken:
    actor = draw(st.sampled_from(["person", "x", "y", "import"]))
    own = actor == "person"
    contact = draw(st.sampled_from([ADA, QUINN, ""]))
    address = MAIL if not contact or (own and draw(st.booleans())) else ""
    who = f"p:{contact or address}" if own else actor
    out = draw(st.booleans())
    return Spoken(contact, address, draw(scopes), who, draw(st.integers(0, 30)), out, number, own, out or actor != "import")


@st.composite
def talks(draw: st.DrawFn) -> tuple[Spoken, ...]:
    """Up to seven statements within half a minute, in which the conflict window is ten seconds wide."""
    return tuple(draw(spoken(number)) for number in range(draw(st.integers(2, 7))))


@st.composite
def quarrels(draw: st.DrawFn) -> tuple[Spoken, ...]:
    """A few systems that disagree about one choice of Ada's at almost the same time."""
    words = draw(st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 6), st.booleans()), min_size=3, max_size=4))
    return tuple(Spoken(ADA, "", PROMO, actor, 4 * step, out, n, False) for n, (actor, step, out) in enumerate(words))


links = st.sets(st.sampled_from([(ADA, MAIL), (QUINN, MAIL)]))


def entries_of(said: Iterable[Spoken]) -> list[Entry]:
    """The entries that statements leave: one in each row they name."""
    found = []
    for one in said:
        for sub in filter(None, (one.contact, one.address)):
            strength = {"own": one.own, "strong": one.strong, "method": "explicit" if one.strong else "implicit"}
            found.append(choice(one.id, one.scope, out=one.out, sub=sub, at=one.id, ts=one.ts, by=one.actor, about=one.contact, **strength))
    return found


def rows_of(entries: Iterable[Entry]) -> dict[str, State]:
    rows: dict[str, State] = {}
    for one in entries:
        rows[one.sub] = fold(rows.get(one.sub, EMPTY), one)
    return rows


def people_at(rows: dict[str, State], linked: Iterable[Link], contact: str, address: str) -> tuple[Person, ...]:
    """Whom a question about a contact or an address reaches."""
    about = [contact] if contact else sorted(one for one, at in linked if at == address) or [""]
    return tuple(Person(one, rows.get(one), rows.get(address, EMPTY)) for one in about)


PROMOTIONAL: Final = DEFAULT.get("promotional")


def ask(message: Scope, *, country: str | None = "US", brand: str | None = "") -> Ask:
    """The question whether a message of this scope may go; `brand` "" takes the scope's, None asks for every brand."""
    return Ask(message.channel, DEFAULT.get(message.category), message.brand if brand == "" else brand, country)


def verdict(question: Ask, *people: Person, now: int = NOON, window: int = WINDOW, default: str | None = None) -> Verdict:
    return may_send(question, people, version=1, now=now, window=window, default_country=default)


def codes(found: Verdict) -> list[str]:
    return [reason.code for reason in found.reasons]


def blocked(name: str, ts: int = NOON, number: int = 7, new: str = "set") -> Entry:
    return entry(number, "block", act=name, new=new, ts=ts)


def delivered(ts: int) -> Entry:
    return entry(99, "event", act="mail.delivered", effect="stored", ts=ts)


def soft_bounces(*times: int) -> list[Entry]:
    return [blocked("soft_bounce", ts, number) for number, ts in enumerate(times)]


def at(*entries: Any) -> Person:
    """Somebody who is known by an address only, of whom this was kept."""
    return Person("", None, folded(entries))


def answer(who: Person, message: Scope = PROMO, **more: Any) -> list[str]:
    found = verdict(ask(message, **more), who)
    assert found.allowed is set(codes(found)).issubset(ALLOWING)
    return codes(found)


def paused(until: int, brand: str = "*", number: int = 3, **more: Any) -> Entry:
    return entry(number, "pause", scope=Scope(brand, "*", "*"), until=until, **more)


def person(source: str = "preference_center", **more: Any) -> Voice:
    """The person's own voice."""
    return Voice(source, True, "", "center", **more)


def shop(actor: str = "c:shop:api", **more: Any) -> Voice:
    """A relayed voice: an API client."""
    return Voice("api", False, actor, "c:shop", **more)


LOUD: Final = {"method": "explicit"}


@dataclass
class World:
    """The rows of a few subjects, and everything that was ever kept about them."""

    now: int = NOON
    rows: dict[str, Row] = field(default_factory=lambda: {sub: Row(sub, kind, EMPTY) for sub, kind in KIND_OF.items()})
    entries: list[Entry] = field(default_factory=list)
    rulings: list[Ruling] = field(default_factory=list)
    lookalikes: tuple[str, ...] = ()
    made: int = 0

    def say(
        self, voice: Voice, *words: Word, contact: str = "", address: str = "", after: int = SECOND, given: int | None = None,
        refused: str = "",
    ) -> list[Told]:  # fmt: skip
        """What the words became, said `after` microseconds from the last ones."""
        self.now += after
        said = Statement(voice, words, contact, address, self.lookalikes, given, refused)
        about = contact or address
        ruling = decide(said, self.rows, readings=lambda rows: self.read(about, rows), now=self.now, new_id=self.new_id, window=WINDOW)
        self.rows = dict(ruling.rows)
        self.entries += ruling.entries
        self.rulings.append(ruling)
        return list(ruling.told)

    def new_id(self, sub: str) -> str:
        self.made += 1
        return ident(self.made)

    def read(self, sub: str, rows: Any = None) -> tuple[Reading, ...]:
        page = Page({}, rows or self.rows)
        return readings_of(page.rows[sub], page.linked(page.rows[sub]))

    def state(self, sub: str) -> State:
        return self.rows[sub].state

    def person(self, contact: str = ADA, address: str = MAIL, lookalikes: Sequence[str] = ()) -> Person:
        """One reading, as checks make it: the contact, the address, and the contact's other addresses."""
        row = self.state(contact) if contact else None
        others = tuple(self.state(sub) for sub in sorted(row.links) if sub != address) if row else ()
        return Person(contact, row, self.state(address), others, tuple(self.state(sub) for sub in lookalikes))
