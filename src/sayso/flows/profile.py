"""Profile: what a decision snapshot says about subjects, by asking the gate itself about each."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from sayso.contracts.audience import Known, Line
from sayso.contracts.book import Key
from sayso.contracts.gatehouse import Found
from sayso.flows.check import Question, people_of
from sayso.rules.audience import Recipe, Seen, channels_of, reach_of, shadows, united
from sayso.rules.gate import Ask
from sayso.rules.subjects import ADDRESS_KIND, CONTACT, Address
from sayso.rules.words import CHANNELS

SOMEBODY: Final = Key(CONTACT, "")
"""Says to a question that it names a contact; which one, the rows say."""


def profile(members: Sequence[Known], everybody: Mapping[str, Known], recipe: Recipe, now: int, seen: Seen) -> list[Line]:
    """One line a member. `everybody` holds what they are linked to within two steps; `seen` remembers equal shapes, and is added to."""
    rows = {sub: known.row for sub, known in everybody.items()}
    return [_line(known, everybody, Found(None, None, (), rows), recipe, now, seen) for known in members]


def _line(known: Known, everybody: Mapping[str, Known], found: Found, recipe: Recipe, now: int, seen: Seen) -> Line:
    """What the snapshot says about one subject: the gate's answers to every question that names it alone."""
    row = known.row
    if row.kind == CONTACT:
        alone = Found(row, None, (), found.linked)
        asked = _asked(frozenset([link.kind for link in row.state.links.values()]))
        told = united([reach_of(named, people_of(question, alone)[0], recipe, now, seen) for named, question in asked])
        return Line(known.id, b"", 0, told, shadow=False)
    channels = channels_of(row.kind)
    people_there = people_of(_at(row.kind), Found(None, row, (), found.linked))
    owners = [everybody[sub].id for sub, link in row.state.links.items() if link.kind == CONTACT and sub in everybody]
    told = united([reach_of(channels, person, recipe, now, seen) for person in people_there])
    return Line(known.id, owners[0] if len(owners) == 1 else b"", len(owners), told, shadows(row.state))


@lru_cache(maxsize=64)
def _asked(kinds: frozenset[str]) -> tuple[tuple[tuple[str], Question], ...]:
    """The questions about a contact with addresses of these kinds that names nothing else: each channel reached, and one that is not ("")."""
    reached = [channel for channel in CHANNELS if ADDRESS_KIND[channel] in kinds]
    elsewhere = [channel for channel in CHANNELS if channel not in reached][:1]
    named = [(channel, (channel,)) for channel in reached] + [(channel, ("",)) for channel in elsewhere]
    return tuple((name, Question(Ask(channel, None), SOMEBODY, None)) for channel, name in named)


@lru_cache(maxsize=16)
def _at(kind: str) -> Question:
    """The question about an address of this kind that names nothing else."""
    return Question(Ask(channels_of(kind)[0], None), None, Address(kind, "", ""))
