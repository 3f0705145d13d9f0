"""Check: the one question, whether this may be sent to this person now."""

from collections.abc import Sequence
from uuid import UUID

from sayso.contracts.book import Key, Unavailable
from sayso.contracts.gatehouse import Found, Gatehouse, Query, Wanted
from sayso.contracts.ground import Ground
from sayso.rules import cadence, gate
from sayso.rules.answer import Logged, message_mark
from sayso.rules.gate import Ask, Person
from sayso.rules.state import EMPTY, State
from sayso.rules.statements import Row
from sayso.rules.subjects import ADDRESS_KIND, Address, aliases
from sayso.rules.values import Value

PERMIT_LIFE = 60_000_000
"""How long a permit is good for, in microseconds (wire contract section 5)."""


class Question(Value, frozen=True):
    """May a message of this kind go to this contact, at this address (at least one of the two)? The names are for the log."""

    ask: Ask
    contact: Key | None
    address: Address | None
    campaign: str = ""
    message: str = ""
    sender: str = ""
    reserve: bool = False


async def check(
    questions: Sequence[Question], *, gatehouse: Gatehouse | None, ground: Ground, waited: float = 0.0
) -> list[tuple[UUID | None, Logged]]:
    """The verdicts in order, each with the id it was logged under.

    A store that cannot be reached (None: that is known already) gives unknown_state and no id: never allowed, never an error.
    Logged before it is returned. Whoever asks has `waited` so many seconds for other things already.
    """
    if gatehouse is None:
        return _unknown(questions, ground)
    try:
        return [*await gatehouse.ask([_query(question, ground) for question in questions], waited=waited)]
    except Unavailable:
        return _unknown(questions, ground)


def _unknown(questions: Sequence[Question], ground: Ground) -> list[tuple[UUID | None, Logged]]:
    now = ground.clock()
    return [(None, _logged(question, gate.UNREADABLE, now)) for question in questions]


def _query(question: Question, ground: Ground) -> Query:
    address = question.address
    alike = aliases(address)[1:] if address else ()
    others = tuple([Key(a.kind, a.value) for a in alike]) if alike else ()
    caps = cadence.caps_on(ground.catalogue.caps, question.ask) if ground.catalogue.caps else ()
    back = max([cap.period for cap in caps]) if caps else 0
    wanted = Wanted(question.contact, Key(address.kind, address.value) if address else None, others, back, question.reserve and back > 0)

    def judge(found: Found, now: int) -> Logged:
        people = people_of(question, found)
        verdict = gate.may_send(
            question.ask, people, version=_version(question, found), now=now, window=ground.window, default_country=ground.default_country
        )
        return _logged(question, cadence.limited(verdict, cadence.reached(caps, found.spent, now)) if caps else verdict, now)

    return Query(wanted, judge)


def _logged(question: Question, verdict: gate.Verdict, now: int) -> Logged:
    ask = question.ask
    until = now + PERMIT_LIFE if verdict.allowed else None
    key = ask.category.key if ask.category else ""
    return Logged(
        verdict,
        ask.channel,
        key,
        now,
        ask.brand or "",
        question.campaign,
        message_mark(question.message),
        question.sender,
        permit_until=until,
    )


def people_of(question: Question, found: Found) -> tuple[Person, ...]:
    """Everybody a message would reach: the contact named, or each contact of the address named, or the address alone."""
    looks = tuple([row.state for row in found.lookalikes]) if found.lookalikes else ()
    at = found.address.state if found.address else EMPTY
    if question.contact is not None:
        return (_contact(question, found, looks, at),)
    owners = [found.linked[sub] for sub in _contacts_of(found.address) if sub in found.linked]
    if not owners:
        return (Person("", None, at, (), looks),)
    sub = found.address.sub if found.address else ""
    return tuple(Person(owner.sub, owner.state, at, _others(owner, found, sub), looks) for owner in owners)


def _contact(question: Question, found: Found, looks: tuple[State, ...], at: State) -> Person:
    row = found.contact
    if question.address is not None:
        sub = found.address.sub if found.address else ""
        if row is None:
            return Person("", None, at, (), looks)
        return Person(row.sub, row.state, at, _others(row, found, sub), looks)
    if row is None:
        return Person(missing="unknown_state")
    primary = primary_of(row, question.ask.channel)
    if primary is None or primary not in found.linked:
        return Person(row.sub, row.state, None, _others(row, found, ""), looks, missing="address_undeliverable")
    return Person(row.sub, row.state, found.linked[primary].state, _others(row, found, primary), looks)


def primary_of(row: Row, channel: str) -> str | None:
    """The pseudonym of a contact's primary address for a channel, or None."""
    kind = ADDRESS_KIND.get(channel)
    links = [(link.primary, link.entry, sub) for sub, link in row.state.links.items() if link.kind == kind]
    return max(links)[2] if links else None


def _contacts_of(address: Row | None) -> list[str]:
    return sorted(sub for sub, link in address.state.links.items() if link.kind == "contact") if address else []


def _others(row: Row, found: Found, named: str) -> tuple[State, ...]:
    links = row.state.links
    if len(links) == 1 and named in links:  # the one address there is, which nearly everybody has
        return ()
    return tuple([found.linked[sub].state for sub in sorted(links) if sub != named and sub in found.linked])


def _version(question: Question, found: Found) -> int:
    row = found.contact if question.contact is not None else found.address
    if row is None:
        return 0
    version = row.state.version
    if row.kind == "contact":
        linked = found.linked
        for sub in row.state.links:
            if sub in linked:
                version += linked[sub].state.version
    return version
