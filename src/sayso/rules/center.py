"""The preference page's rules: what a save writes, and what it cannot write without a freshly mailed link.

An ordinary link only restricts. A box that was ticked already and stays so says nothing: a pre-ticked box is no consent (CJEU C-673/17).
A page never lifts a broader scope: saving writes one statement for each category it showed, at its brand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sayso.rules.gate import Reason
from sayso.rules.statements import Choose, Restore, Suspend, Told, Word
from sayso.rules.words import ANY, Scope

PAUSE: Final = "pause"
"""What pauses are called where categories are named by their keys."""
STOPPED_BY_CHOICE: Final = frozenset({"global_opt_out", "category_opted_out", "no_consent", "consent_expired"})
"""Codes of the gate that choices make and choices can unmake; the rest is held by facts."""
UNKNOWN: Final = "unknown_state"
"""Nobody can say what somebody wants of whom nothing is held: nothing is on."""
HELD_BY: Final = frozenset({"blacklisted", "hard_bounce", "complaint", "soft_bounce_streak", "carrier_stop"})


@dataclass(frozen=True, slots=True)
class Planned:
    """The words a wish comes to; `refused` is what nobody may say here, `to_confirm` what needs an answer to a mail first."""

    words: tuple[Word, ...] = ()
    refused: tuple[str, ...] = ()
    to_confirm: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page speaks: its brand and channel, whether its link is fresh, and the end of the pause of this very brand, if any."""

    brand: str
    channel: str
    fresh: bool
    paused_until: int | None = None


def stop(place: Place, *, company: bool) -> Planned:
    """Stopping everything, of the brand or of the whole company. Done alone: whoever presses that button means nothing else."""
    return Planned((Choose(Scope(ANY if company else place.brand, place.channel, ANY), out=True, field=ANY),))


def planned(choices: Mapping[str, bool], pause_until: int | None, on: Mapping[str, bool], place: Place) -> Planned:
    """What a save comes to: `choices` by category (True: keep sending), `pause_until` (None: leave it, 0: end it).

    `on` tells for each category that may be refused whether it is on now.
    """
    brand, channel, fresh = place.brand, place.channel, place.fresh
    outs = [key for key, keep in choices.items() if not keep and key in on]
    ins = [key for key, keep in choices.items() if keep and key in on and not on[key]]
    refused = [key for key in choices if key not in on]
    words: list[Word] = [Choose(Scope(brand, channel, key), out=True, field=key) for key in outs]
    if fresh:
        words += [Choose(Scope(brand, channel, key), out=False, field=key) for key in ins]
    if pause_until is not None:
        if not fresh and pause_until < (place.paused_until or 0):
            refused.append(PAUSE)  # ending or shortening a pause lets more through
        elif pause_until or place.paused_until:
            words.append(Suspend(brand, pause_until or None))
    return Planned(tuple(words), tuple(refused), () if fresh else tuple(ins))


def named(word: Word) -> str:
    """What a word of a page was about: a category's key, ``*`` for everything, ``pause``; "" for words that pages do not say."""
    match word:
        case Choose() | Restore():
            return word.scope.category
        case Suspend():
            return PAUSE
    return ""


def applied(told: tuple[Told, ...]) -> tuple[Told, ...]:
    """The words that changed something."""
    return tuple(one for one in told if one.effect == "applied")


def is_on(reasons: tuple[Reason, ...]) -> bool:
    """Whether nobody's choice, no missing one, and no doubt is among the reasons of a verdict."""
    return not any(reason.code in STOPPED_BY_CHOICE or reason.code == UNKNOWN for reason in reasons)
