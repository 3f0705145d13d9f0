"""May this be sent? Every reason is collected, none hidden; transactional mail passes what people may not refuse (design section 3).

Order: unknown state, malformed question, blacklist, hard address blocks, then transactional mail passes the rest; soft blocks,
global and channel opt-outs, category, pause, legal basis.
"""

from collections.abc import Iterable
from typing import Final

from sayso.rules import conflict, law
from sayso.rules.catalogue import Category
from sayso.rules.state import ERASURES, SOFT_KEPT, Mark, Pause, State
from sayso.rules.values import Value, altered
from sayso.rules.words import ANY, Scope

DAY: Final = 86_400_000_000
SOFT_STREAK_WITHIN: Final = 14 * DAY
"""Five soft bounces within 14 days and no delivery since make a streak (standards 2.2)."""

BLOCKING: Final = (
    "unknown_state", "invalid_address", "channel_mismatch", "category_unknown", "blacklisted", "address_undeliverable", "hard_bounce",
    "carrier_stop", "complaint", "soft_bounce_streak", "global_opt_out", "category_opted_out", "paused", "no_consent",
    "consent_expired", "frequency_cap",
)  # fmt: skip
ALLOWING: Final = ("transactional", "opted_in", "allowed_by_regime", "soft_opt_in")


class Ask(Value, frozen=True):
    """The question: a message on a channel about a category. `category` None means nobody knows it; `brand` None means any."""

    channel: str
    category: Category | None
    brand: str | None = None
    country: str | None = None
    fault: str = ""
    """A code that is settled before any state is read: invalid_address, channel_mismatch."""


class Person(Value, frozen=True):
    """One reading of whom the message reaches: a contact (or none) at an address.

    `contact` is the pseudonym ("" for nobody), `linked` are the contact's other addresses (restrictions unite: a new address never
    lifts an old word), `lookalikes` other spellings of the address, `missing` a code when it cannot be judged at all.
    """

    contact: str = ""
    row: State | None = None
    address: State | None = None
    linked: tuple[State, ...] = ()
    lookalikes: tuple[State, ...] = ()
    missing: str = ""

    @property
    def rows(self) -> tuple[State, ...]:
        """The rows judged together: the contact's and the address's."""
        if self.row is None:
            return () if self.address is None else (self.address,)
        return (self.row,) if self.address is None else (self.row, self.address)

    def with_other(self, other: State) -> tuple[State, ...]:
        """The rows judged together for another address of the contact."""
        return (other,) if self.row is None else (self.row, other)


class Reason(Value, frozen=True):
    """Why: a code of the wire contract, with the scope, the time and the entry that decided where there is one."""

    code: str
    scope: Scope | None = None
    since: int | None = None
    entry: str | None = None
    src: str = ""
    until: int | None = None


class Verdict(Value, frozen=True):
    """The answer to one question; `version` is the state's that it was judged on."""

    allowed: bool
    reasons: tuple[Reason, ...]
    regime: str
    version: int
    retry_at: int | None = None


UNREADABLE: Final = Verdict(False, (Reason("unknown_state"),), law.STRICTEST.id, 0)
"""The answer when nothing can be read: doubt denies."""


def may_send(ask: Ask, people: tuple[Person, ...], *, version: int, now: int, window: int, default_country: str | None) -> Verdict:
    """The verdict over everybody whom the message would reach: any denial denies, and allowing needs a reason from each."""
    if len(people) == 1:  # nearly always: nobody else's word is to be united with it
        return _judge(ask, people[0], version, now=now, window=window, default_country=default_country)
    verdicts = [_judge(ask, person, version, now=now, window=window, default_country=default_country) for person in people]
    denials = [verdict for verdict in verdicts if not verdict.allowed]
    chosen = denials or verdicts
    reasons = tuple(dict.fromkeys(reason for verdict in chosen for reason in verdict.reasons))
    if not chosen:
        return altered(UNREADABLE, version=version)
    retry = [verdict.retry_at for verdict in denials]
    retry_at = max((at for at in retry if at is not None), default=None) if all(at is not None for at in retry) else None
    return Verdict(not denials, reasons, chosen[0].regime, version, retry_at)


def _judge(ask: Ask, person: Person, version: int, *, now: int, window: int, default_country: str | None) -> Verdict:
    rows = person.rows
    regime = law.regime_for(_countries(ask, rows), ask.channel, default_country)
    fixed = [Reason(code) for code in (person.missing, ask.fault) if code] if person.missing or ask.fault else []
    if ask.category is None:
        fixed.append(Reason("category_unknown"))
    # Most people never chose, paused or complained: nothing is asked of them that they have no answer to.
    is_blocked, has_chosen, is_paused = _has((*rows, *person.linked, *person.lookalikes))
    if is_blocked:
        fixed += _hard(ask, person)
    if ask.category is None or person.missing or ask.fault:
        return Verdict(False, tuple(dict.fromkeys(fixed)), regime.id, version)
    if not ask.category.refusable:
        return Verdict(not fixed, tuple(dict.fromkeys(fixed)) or _TRANSACTIONAL, regime.id, version)
    stamps = conflict.merged(rows, person.contact) if has_chosen else _UNSAID
    said = _choices(ask, ask.category, person, stamps, window) if has_chosen else []
    stops = fixed + said
    if is_blocked or (person.address and person.address.soft):
        stops = [*fixed, *_soft(person), *said]
    if is_paused:
        stops = [*stops, *_paused(ask, person, now)]
    if not said:  # whoever said no is not also reported as not having said yes (the wire contract's own example)
        basis = _basis(ask, ask.category, person, stamps, regime, window)
        if basis.code not in ALLOWING:
            stops.append(basis)
        elif not stops:
            return Verdict(True, (basis,), regime.id, version)
    only_paused = all(reason.code == "paused" for reason in stops)
    retry_at = max(reason.until or 0 for reason in stops) if only_paused else None
    return Verdict(False, tuple(dict.fromkeys(stops)), regime.id, version, retry_at)


def _has(rows: tuple[State, ...]) -> tuple[bool, bool, bool]:
    """Whether any of the rows holds a block, a choice, a pause."""
    blocks = choices = pauses = False
    for row in rows:
        blocks = blocks or bool(row.blocks)
        choices = choices or bool(row.strong)
        pauses = pauses or bool(row.pauses)
    return blocks, choices, pauses


_UNSAID: Final[conflict.Register] = {}
_TRANSACTIONAL: Final = (Reason("transactional"),)


def _countries(ask: Ask, rows: tuple[State, ...]) -> tuple[str, ...]:
    found = set() if ask.country is None else {ask.country}
    for row in rows:
        if row.place is not None:
            found.add(row.place.country)
    found.discard("")
    return tuple(sorted(found)) if len(found) > 1 else tuple(found)


def _hard(ask: Ask, person: Person) -> list[Reason]:
    # Nothing is held about somebody who was erased, so nobody can say what they want.
    found = [_blocked("unknown_state", mark) for row in person.rows if (mark := erased(row))]
    for row in (*person.rows, *person.linked, *person.lookalikes):
        if (mark := row.blocks.get("blacklist")) and mark.on:
            found.append(_blocked("blacklisted", mark))
    address = person.address
    if address is not None:
        if bounce := bounced(address):
            found.append(_blocked("hard_bounce", bounce))
        if ask.channel in ("sms", "voice") and (stop := address.blocks.get("carrier_stop")) and stop.on:
            found.append(_blocked("carrier_stop", stop))
    return list(dict.fromkeys(found))


def erased(row: State) -> Mark | None:
    """The erasure that is in force, accepted or completed: everything is denied, transactional messages too."""
    marks = (row.blocks.get(name) for name in ERASURES)
    return next((mark for mark in marks if mark is not None and mark.on), None)


def bounced(address: State) -> Mark | None:
    """The hard bounce that is in force: set, and nothing was delivered later."""
    mark = address.blocks.get("hard_bounce")
    return mark if mark and mark.on and mark.ts >= address.delivered else None


def soft_streak(address: State) -> tuple[int, str] | None:
    """The bounce that completed a streak of soft bounces in force, as (ts, entry)."""
    lifted = address.blocks.get("soft_bounce")
    since = [soft for soft in address.soft if soft[0] >= address.delivered and not (lifted and soft[0] < lifted.ts)]
    if len(since) < SOFT_KEPT or since[-1][0] - since[0][0] > SOFT_STREAK_WITHIN:
        return None
    return since[-1]


def _soft(person: Person) -> list[Reason]:
    found = []
    for row in (*person.rows, *person.lookalikes):
        if (mark := row.blocks.get("complaint")) and mark.on:
            found.append(_blocked("complaint", mark))
    if person.address and (streak := soft_streak(person.address)):
        found.append(Reason("soft_bounce_streak", since=streak[0], entry=streak[1]))
    return found


def _choices(ask: Ask, category: Category, person: Person, stamps: conflict.Register, window: int) -> list[Reason]:
    """`stamps` are those of the person's own rows."""
    if person.lookalikes:
        stamps = conflict.merged(person.rows, person.contact, person.lookalikes)
    is_out = any([stamp.out for stamp in stamps.values()])  # most people whom anything is known of said yes
    left = dict.fromkeys(_standing(ask, category, stamps, window)) if is_out else {}
    for other in person.linked:
        stamps = conflict.merged(person.with_other(other), person.contact)
        # Only what the other address itself heard: what the contact said is judged above, with this address's answers.
        there = {at for at, stamp in other.strong.items() if stamp.out}
        left.update(dict.fromkeys(out for out in _standing(ask, category, stamps, window) if out.at in there))
    if not left:
        return []
    return [_opted_out(out) for out in sorted(left, key=lambda out: (out.at.scope.category != ANY, out.stamp[:3]))]


def _standing(ask: Ask, category: Category, stamps: conflict.Register, window: int) -> list[conflict.Standing]:
    brands = [ask.brand] if ask.brand else conflict.brands_to_judge(stamps)
    return [out for brand in brands for out in conflict.standing(stamps, Scope(brand, ask.channel, category.key), window)]


def _opted_out(out: conflict.Standing) -> Reason:
    code = "global_opt_out" if out.at.scope.category == ANY else "category_opted_out"
    return Reason(code, out.at.scope, out.stamp.ts, out.stamp.entry, out.stamp.src)


def pauses_of(rows: Iterable[State]) -> dict[str, Pause]:
    """The latest pause of each brand over rows that are judged together: a later word on one ends an older one on another."""
    latest: dict[str, Pause] = {}
    for row in rows:
        for brand, pause in row.pauses.items():
            latest[brand] = max(latest.get(brand, pause), pause)
    return latest


def _paused(ask: Ask, person: Person, now: int) -> list[Reason]:
    said = list(pauses_of(person.rows).items())
    for other in person.linked:
        latest = pauses_of(person.with_other(other))
        said += [(brand, pause) for brand, pause in other.pauses.items() if latest[brand] == pause]
    said += [one for row in person.lookalikes for one in row.pauses.items()]
    holds = [(brand, p) for brand, p in dict.fromkeys(said) if p.until > now and (ask.brand is None or brand in (ANY, ask.brand))]
    return [Reason("paused", Scope(brand, ANY, ANY), p.ts, p.entry, until=p.until) for brand, p in holds]


def _basis(ask: Ask, category: Category, person: Person, stamps: conflict.Register, regime: law.Regime, window: int) -> Reason:
    is_open = ask.channel in regime.open_channels
    rows = person.rows
    weak = conflict.weak_of(rows, person.contact) if any([row.weak for row in rows]) else _UNSAID
    if not stamps and not weak:
        return _OPEN if is_open else _CLOSED
    message = Scope(ask.brand or ANY, ask.channel, category.key)
    said = conflict.consent(stamps, weak, message, window)
    if said is not None and (is_open or said[1].method == "explicit"):
        return Reason("opted_in", said[0].scope, said[1].ts, said[1].entry, said[1].src)
    return _OPEN if is_open else _CLOSED


_OPEN: Final = Reason("allowed_by_regime")
_CLOSED: Final = Reason("no_consent")


def _blocked(code: str, mark: Mark) -> Reason:
    return Reason(code, since=mark.ts, entry=mark.entry)
