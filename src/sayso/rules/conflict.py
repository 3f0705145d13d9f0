"""Who wins: the opt-outs that stand against a message, after every answer that a later opt-in may give (design section 3).

A message is denied by choice if any covering opt-out is not answered by a later strong opt-in. Never compares pairs inside
windows to keep only a winner: three statements would then give three results in three orders.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sayso.rules.state import KEPT, At, Stamp, State
from sayso.rules.values import Value
from sayso.rules.words import ANY, Scope

Register = Mapping[At, Stamp]

RESTORED: Final = "restored"
"""The method of a word that takes back its speaker's first one on a scope: it stands in its place, answers nothing, consents to nothing."""

SPREAD: Final = "/spread"
"""Ends the actor of a statement that policy spread from another channel: such an opt-in lifts only what was spread."""


class Standing(Value, frozen=True):
    """An opt-out that stands: where, and the stamp that says since when and by which entry."""

    at: At
    stamp: Stamp


def key(stamp: Stamp, window: int) -> tuple[int, bool, str]:
    """The order between different actors: opt-outs and own voices count as said one conflict window later."""
    return (stamp.said_at + (window if stamp.out or stamp.own else 0), stamp.out, stamp.entry)


def answers(said: tuple[At, Stamp], out: tuple[At, Stamp], message: Scope, window: int) -> bool:
    """Whether an opt-in answers an opt-out for a message.

    It must be later, lie inside the opt-out's scope, cover the message, and be an own voice if it is narrower in category.
    """
    (at_in, stamp_in), (at_out, stamp_out) = said, out
    if not (at_in.scope.covers(message) and at_out.scope.covers(at_in.scope)):
        return False
    if not (at_in.scope.category == ANY or at_in.scope == at_out.scope or stamp_in.own):
        return False
    if at_in.actor.endswith(SPREAD) and not at_out.actor.endswith(SPREAD):
        return False
    if at_out.actor == KEPT and not stamp_in.own:
        return False  # what outlived an erasure is answered by the person alone, never by a list that was older than it
    if at_in.actor == at_out.actor:
        return (stamp_in.said_at, False, stamp_in.entry) > (stamp_out.said_at, True, stamp_out.entry)
    return key(stamp_in, window) > key(stamp_out, window)


def merged(rows: Iterable[State], contact: str, only_outs: Sequence[State] = ()) -> Register:
    """The strong stamps of several rows together, judged for one contact ("" for none).

    An opt-in that was about another contact never counts. `only_outs` are rows of look-alike addresses: they may deny, not allow.
    """
    spoken = [row.strong for row in rows if row.strong]
    if len(spoken) == 1 and not only_outs and all([stamp.out or at.about in ("", contact) for at, stamp in spoken[0].items()]):
        return spoken[0]  # nearly everybody spoke in one row alone
    stamps: dict[At, Stamp] = {}
    for strong in spoken:
        for at, stamp in strong.items():
            if stamp.out or at.about in ("", contact):
                _keep(stamps, at, stamp)
    for row in only_outs:
        for at, stamp in row.strong.items():
            if stamp.out:
                _keep(stamps, at, stamp)
    return stamps


def _keep(stamps: dict[At, Stamp], at: At, stamp: Stamp) -> None:
    held = stamps.get(at)
    if held is None or stamp[:3] > held[:3]:
        stamps[at] = stamp


def standing(stamps: Register, message: Scope, window: int) -> list[Standing]:
    """The covering opt-outs that nobody answered, oldest first; empty when choice does not deny the message."""
    outs = [(at, stamp) for at, stamp in stamps.items() if stamp.out and at.scope.covers(message)]
    if not outs:
        return []
    ins = [(at, stamp) for at, stamp in stamps.items() if not stamp.out and stamp.method != RESTORED]
    left = [out for out in outs if not any(answers(said, out, message, window) for said in ins)] if ins else outs
    if len(left) == 1:
        return [Standing(*left[0])]
    return [Standing(at, stamp) for at, stamp in sorted(left, key=lambda out: (out[1][:3], out[0]))]


def brands_to_judge(stamps: Register) -> list[str]:
    """The brands a message without one is judged against: every brand with a stamp of its own, and all others as ``*``."""
    named = {at.scope.brand for at in stamps}
    named.discard(ANY)
    return [ANY, *sorted(named)] if named else [ANY]


def consent(stamps: Register, weak: Register, message: Scope, window: int) -> tuple[At, Stamp] | None:
    """The opt-in that speaks for the message's own category, or None.

    Lifting a broader opt-out is never consent for a category, nor is taking back an opt-out. A weak opt-in fills a scope only where no
    strong stamp stands.
    """
    found = [
        (at, stamp)
        for at, stamp in stamps.items()
        if not stamp.out and stamp.method != RESTORED and at.scope.category == message.category and at.scope.covers(message)
    ]
    if weak:
        spoken = {at.scope for at, stamp in stamps.items() if stamp.method != RESTORED}
        found += [
            (at, stamp)
            for at, stamp in weak.items()
            if at.scope not in spoken and at.scope.category == message.category and at.scope.covers(message)
        ]
    if len(found) == 1:
        return found[0]
    return max(found, key=lambda said: (said[1].method == "explicit", said[1][:3]), default=None)


def weak_of(rows: Iterable[State], contact: str) -> dict[At, Stamp]:
    """The weak opt-ins of several rows together, judged for one contact."""
    stamps: dict[At, Stamp] = {}
    for row in rows:
        for at, stamp in row.weak.items():
            if at.about in ("", contact):
                _keep(stamps, at, stamp)
    return stamps
