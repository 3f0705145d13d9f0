"""What a decision snapshot says: each subject's verdicts as codes, so that whole audiences can be judged by joining.

A *profile* is what the gate answers about one subject, for every channel, category and brand that matters, once where the law asks for
consent on the channel and once where it does not: it holds codes and countries, no names, no times, no entries. Profiles are made by
asking the gate itself. Where a profile cannot say (a pause runs, somebody was left out) it says so, and the gate has to be asked.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, NamedTuple

from email_validator import SPECIAL_USE_DOMAIN_NAMES

from sayso.rules import law
from sayso.rules.catalogue import Catalogue, Category
from sayso.rules.conflict import SPREAD, Register
from sayso.rules.countries import COUNTRIES
from sayso.rules.gate import ALLOWING, DAY, Ask, Person, bounced, may_send, soft_streak
from sayso.rules.state import EMPTY, KEPT, State
from sayso.rules.subjects import ADDRESS_KIND
from sayso.rules.values import altered
from sayso.rules.words import ANY, CHANNELS

NOBODY: Final = 0
"""Place of the profile of an address that nobody has ever said a word about."""
STRANGER: Final = 1
"""Place of the profile of a contact that nobody knows."""
UNSURE: Final = 2
"""Place of the empty profile: the gate has to be asked."""
ELSEWHERE: Final = "ZZ"
"""Stands for a place that is no country (user-assigned in ISO 3166): judged by the strictest regime."""

EVERYDAY_EMAIL: Final = r"[A-Za-z0-9_-]+(?:[.+][A-Za-z0-9_-]+)*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
"""RE2 for addresses whose matching form is their lower case; besides, no `--` behind the @ and no special top-level domain."""
SPECIAL_TOPS: Final = frozenset(name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES)
EVERYDAY_CONTACT: Final = r"[!-~](?:[ -~]{0,253}[!-~])?"
"""RE2 for contact ids that are their own matching form."""

Codes = tuple[str, ...]


class Facet(NamedTuple):
    """The gate's codes for one kind of message: where the law asks for consent on the channel, and where it does not."""

    closed: Codes
    open: Codes


Shape = tuple[Any, ...]
Facets = tuple[tuple[tuple[str, str, str], Facet | None], ...]


class Reach(NamedTuple):
    """One person whom messages to a subject reach: stated countries, and facets by (channel, brand, category).

    Channel "" is every channel that is not named; brand "" is a question that names none, `*` a brand that is not named here; category
    "" is any that cannot be refused. A facet None says that only the gate can tell.
    """

    countries: tuple[str, ...]
    facets: Facets


Profile = tuple[Reach, ...]
Seen = dict[tuple[tuple[str, ...], Shape], Facets]
_SEEN_MAX: Final = 100_000


class Answer(NamedTuple):
    """What a row of an audience is told: `reason` is the first code in the gate's order, which decides."""

    allowed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """What profiles depend on besides people: the refusable categories, the conflict window, the rulebook."""

    categories: tuple[Category, ...]
    window: int
    rulebook: str = law.RULEBOOK

    def key(self) -> str:
        """Text that is equal for recipes that give equal profiles."""
        return json.dumps([[c.key for c in self.categories], self.window, self.rulebook])


def recipe_of(catalogue: Catalogue, window: int) -> Recipe:
    """The recipe of profiles under a catalogue."""
    return Recipe(catalogue.refusable, window)


def fixed(recipe: Recipe) -> tuple[Profile, Profile, Profile]:
    """The profiles that every snapshot begins with, in their places: of nobody, of a stranger, and the empty one."""
    return nobody(recipe), stranger(recipe), ()


@lru_cache(maxsize=16)
def channels_of(kind: str) -> tuple[str, ...]:
    """The channels that an address of this kind serves."""
    return tuple(channel for channel in CHANNELS if ADDRESS_KIND[channel] == kind)


@lru_cache(maxsize=len(CHANNELS))
def probes(channel: str) -> tuple[str | None, str | None]:
    """A country where the law asks for consent on the channel, and one where it does not (the same where there is none)."""
    is_open = {country: channel in law.regime_for((country,), channel, None).open_channels for country in sorted(COUNTRIES)}
    closed = next((country for country, free in is_open.items() if not free), None)
    return closed, next((country for country, free in is_open.items() if free), closed)


def shadows(state: State) -> bool:
    """Whether this row may deny as a look-alike of another address."""
    stamps = any(stamp.out for stamp in state.strong.values())
    return stamps or bool(state.pauses) or any(state.blocks[name].on for name in ("blacklist", "complaint") if name in state.blocks)


def reach_of(channels: tuple[str, ...], person: Person, recipe: Recipe, now: int, seen: Seen | None = None) -> Reach:
    """What the gate says about one person on some channels, on which it reads the same rows; "" is any channel without an address.

    Look-alikes are left out of it: who asks knows the spelling, this does not. `seen` remembers what was found for equal shapes of one
    recipe; it is added to.
    """
    rows = (*person.rows, *person.linked)
    places = {row.place.country for row in person.rows if row.place}
    countries = tuple(sorted(places)) if places else ()
    if all(map(_is_silent, rows)):
        return Reach(countries, _quiet(channels, person.missing, person.address is None, recipe))
    timed = any([pause.until > now - DAY for row in rows for pause in row.pauses.values()])
    shape = None if timed or seen is None else shape_of(person, recipe.window)
    facets = seen.get((channels, shape)) if seen is not None and shape is not None else None
    if facets is None:
        placeless = altered(person, row=_placeless(person.row), address=_placeless(person.address), lookalikes=())
        facets = _facets(channels, placeless, recipe, timed=timed)
        if seen is not None and shape is not None:
            if len(seen) >= _SEEN_MAX:
                seen.clear()
            seen[channels, shape] = facets
    return Reach(countries, facets)


def shape_of(person: Person, window: int) -> Shape | None:
    """What the gate can tell apart about somebody without running pauses, places aside: two people of one shape get the same codes.

    Times and entry ids count by their order only. That holds where words that were not said at once lie further apart than the conflict
    window; None where they do not. Names of actors and contacts count by their order, and for whether they are the person's own.
    A rule of the gate that looks at more than this (an age, a count) has to be let in here, or it is asked only once a shape.
    """
    rows = (*person.rows, *person.linked)
    if (shape := _one_word(person, rows)) is not None:
        return shape
    said = [(at, stamp) for row in rows for at, stamp in (*row.strong.items(), *row.weak.items())]
    times = sorted({stamp.ts for _, stamp in said})
    if any([stamp.since for _, stamp in said]) or any([later - earlier <= window for earlier, later in pairwise(times)]):
        return None
    order = {ts: n for n, ts in enumerate(times)}
    entries = {entry: n for n, entry in enumerate(sorted({stamp.entry for _, stamp in said}))}
    actors = {actor: (n, actor.endswith(SPREAD), actor == KEPT) for n, actor in enumerate(sorted({at.actor for at, _ in said}))}
    others = {about: n + 2 for n, about in enumerate(sorted({at.about for at, _ in said} - {"", person.contact}))}
    names = {**others, person.contact: 1, "": 0}

    def stamps(register: Register) -> frozenset[Any]:
        return frozenset(
            [
                (at.scope, actors[at.actor], names[at.about], order[stamp.ts], entries[stamp.entry], stamp.out, stamp.own, stamp.method)
                for at, stamp in register.items()
            ]
        )

    def facts(row: State) -> tuple[Any, ...]:
        if _is_silent(row):
            return _SILENT
        on = frozenset(name for name, mark in row.blocks.items() if mark.on)
        return stamps(row.strong), stamps(row.weak), on, bounced(row) is not None, soft_streak(row) is not None

    return person.missing, person.row is None, person.address is None, tuple(map(facts, rows))


def _one_word(person: Person, rows: Sequence[State]) -> Shape | None:
    """The shape of somebody about whom a single word is held and nothing else, which is most people; None for others."""
    speaks = -1
    for n, row in enumerate(rows):
        if row.blocks or row.soft or row.pauses:
            return None
        if words := len(row.strong) + len(row.weak):
            if words > 1 or speaks >= 0:
                return None
            speaks = n
    if speaks < 0:
        return None
    [(at, stamp)] = (rows[speaks].strong or rows[speaks].weak).items()
    if stamp.since:
        return None
    about = 0 if not at.about else 1 if at.about == person.contact else 2
    actor = (at.actor.endswith(SPREAD), at.actor == KEPT)
    where = (person.missing, person.row is None, person.address is None, len(rows), speaks, bool(rows[speaks].strong))
    return *where, at.scope, about, actor, stamp.out, stamp.own, stamp.method


_SILENT: Final = (frozenset[Any](), frozenset[Any](), frozenset[str](), False, False)
"""The facts of a row that nothing was said or done in."""


def _is_silent(row: State) -> bool:
    return not (row.strong or row.weak or row.blocks or row.soft or row.pauses)


def _placeless(row: State | None) -> State | None:
    return altered(row, place=None) if row is not None and row.place is not None else row


@lru_cache(maxsize=256)
def _quiet(channels: tuple[str, ...], missing: str, no_address: bool, recipe: Recipe) -> Facets:
    """The facets of somebody who never said anything; the same for all of them."""
    return _facets(channels, Person("", None, None if no_address else EMPTY, missing=missing), recipe, timed=False)


def _facets(channels: tuple[str, ...], person: Person, recipe: Recipe, *, timed: bool) -> Facets:
    named = {at.scope.brand for row in (*person.rows, *person.linked) for at in (*row.strong, *row.weak)} - {ANY}
    brands: list[tuple[str, str | None]] = [("", None)]
    if named:
        brands += [(ANY, _other_than(named)), *((brand, brand) for brand in sorted(named))]
    found: list[tuple[tuple[str, str, str], Facet | None]] = []
    for channel in channels:
        for name, brand in brands:
            for category in recipe.categories:
                facet = None if timed else _facet(Ask(channel or CHANNELS[0], category, brand), person, recipe)
                found.append(((channel, name, category.key), facet))
        found.append(((channel, "", ""), _facet(Ask(channel or CHANNELS[0], _MUST), person, recipe)))
    return tuple(found)


_EVER: Final = 1 << 62
_MUST: Final = Category("must", "transactional", "", "", "", "asked of profiles")


def _other_than(brands: Collection[str]) -> str:
    """A brand that is none of these."""
    return "".join(sorted(brands)) + "?"


def _facet(ask: Ask, person: Person, recipe: Recipe) -> Facet:
    closed, free = probes(ask.channel)
    where_closed = _codes(ask, closed, person, recipe)
    return Facet(where_closed, _codes(ask, free, person, recipe) if free != closed else where_closed)


def _codes(ask: Ask, country: str | None, person: Person, recipe: Recipe) -> Codes:
    asked = altered(ask, country=country)
    # Whoever has a pause that may still run is not asked about here; the others' have ended.
    found = may_send(asked, (person,), version=0, now=_EVER, window=recipe.window, default_country=None)
    return tuple(dict.fromkeys(reason.code for reason in found.reasons))


def united(reaches: Iterable[Reach]) -> Profile:
    """The profile over everybody a message would reach, in the gate's order, equal ones once."""
    return tuple(dict.fromkeys(reaches))


def nobody(recipe: Recipe) -> Profile:
    """The profile of an address that was never seen."""
    return (reach_of(CHANNELS, Person("", None, EMPTY), recipe, 0),)


def stranger(recipe: Recipe) -> Profile:
    """The profile of a contact that nobody knows."""
    return (reach_of(("",), Person(missing="unknown_state"), recipe, 0),)


def told(profile: Profile, ask: Ask, default_country: str | None) -> Answer | None:
    """What the gate would answer about a subject with this profile; None when it has to be asked itself.

    The question must name a category and hold no fault.
    """
    if ask.category is None or ask.fault:
        raise ValueError("a question with a fault is not a profile's to answer")
    reaches = [(reach.countries, dict(reach.facets)) for reach in profile]
    serving = [reach for reach in reaches if (ask.channel, "", "") in reach[1]] or [reach for reach in reaches if ("", "", "") in reach[1]]
    answers: list[Codes] = []
    for places, facets in serving:
        facet = _found(facets, ask, ask.category)
        if facet is None:
            return None
        countries = tuple(sorted({country for country in (ask.country, *places) if country}))
        is_open = ask.channel in law.regime_for(countries, ask.channel, default_country).open_channels
        answers.append(facet.open if is_open else facet.closed)
    if not answers:
        return None
    denials = [codes for codes in answers if not set(codes).issubset(ALLOWING)]
    return Answer(not denials, (denials or answers)[0][0])


def _found(facets: dict[tuple[str, str, str], Facet | None], ask: Ask, category: Category) -> Facet | None:
    channel = ask.channel if (ask.channel, "", "") in facets else ""
    if not category.refusable:
        return facets.get((channel, "", ""))
    for brand in (ask.brand or "", ANY if ask.brand else "", ""):
        if (channel, brand, category.key) in facets:
            return facets[channel, brand, category.key]
    return None


def to_json(profile: Profile) -> Any:
    """The profile as JSON, without names or times."""
    return [[list(r.countries), [[*where, list(map(list, facet)) if facet else None] for where, facet in r.facets]] for r in profile]


def from_json(body: Any) -> Profile:
    """The profile that `to_json` wrote. Raises ValueError or TypeError for anything else."""
    return tuple(
        Reach(
            tuple(countries),
            tuple(((c, b, k), Facet(tuple(facet[0]), tuple(facet[1])) if facet else None) for c, b, k, facet in facets),
        )
        for countries, facets in body
    )
