"""Reversal: the words that take back one act and nothing else. What others said, and what was said since, is left as it is."""

from collections.abc import Iterable, Sequence

from sayso.rules.entries import Entry
from sayso.rules.state import Stamp
from sayso.rules.statements import Restore, Suspend, Word
from sayso.rules.times import MINUTE
from sayso.rules.words import ANY, Scope

KEPT = frozenset({"applied", "superseded", "unchanged"})
"""Effects of words that are held in a register."""
REPEATED_WITHIN = MINUTE
"""The same word again so soon is the same act; later it is a word of its own, and stands."""


def reversal(act: Sequence[Entry], chain: Iterable[Entry]) -> tuple[Word, ...]:
    """The words that take back the entries of one act, given the entries of the row they were first kept in.

    Only choices and pauses; copies by policy and in further rows come back with their first.
    """
    spoken = [one for one in act if one.effect in KEPT and "twin" not in dict(one.x) and one.rule != "spread_from_email"]
    choices = [one for one in spoken if one.kind == "choice" and one.strong]
    pauses = [one for one in spoken if one.kind == "pause"]
    start = min((one.at for one in spoken), default=0)
    held = [one for one in chain if one.effect in KEPT]
    before = [one for one in held if one.at < start]
    # Of several words for one scope the last stands in the register, and the first one's predecessor comes back.
    last_words = {_slot(one): one for one in sorted(choices, key=lambda one: one.at)}
    restored = [
        Restore(one.scope, _repeated(one, held).id, _stamp_before(one, before)) for one in last_words.values() if one.scope is not None
    ]
    return (*restored, *(_pause_before(one, before) for one in pauses))


def _repeated(entry: Entry, held: Iterable[Entry]) -> Entry:
    """The last of the words that only repeat this one: mail systems press a button again when an answer was late."""
    last = entry
    later = [one for one in held if one.kind == "choice" and one.strong and _slot(one) == _slot(entry) and one.at > entry.at]
    for one in sorted(later, key=lambda one: one.at):
        if one.effect != "unchanged" or one.new != entry.new or one.at - entry.at > REPEATED_WITHIN:
            break
        last = one
    return last


def _slot(entry: Entry) -> tuple[Scope | None, str, str]:
    return entry.scope, entry.by, entry.about


def _stamp_before(entry: Entry, before: Sequence[Entry]) -> Stamp | None:
    """The same speaker's strong word for the same scope before this one; None where it was their first, or was taken back itself."""
    earlier = [one for one in before if one.kind == "choice" and one.strong and _slot(one) == _slot(entry)]
    last = max(earlier, key=lambda one: (one.ts, one.new == "opted_out", one.id), default=None)
    if last is None or last.new == "not_set":
        return None
    return Stamp(last.ts, last.new == "opted_out", last.id, last.own, last.method, last.src, last.since)


def _pause_before(entry: Entry, before: Sequence[Entry]) -> Suspend:
    brand = entry.scope.brand if entry.scope else ANY
    earlier = [one for one in before if one.kind == "pause" and one.scope == entry.scope]
    last = max(earlier, key=lambda one: (one.ts, one.until, one.id), default=None)
    return Suspend(brand, (last.until if last else 0) or None, instead_of=entry.id)
