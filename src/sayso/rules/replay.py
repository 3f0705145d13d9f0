"""Replay: one subject's chain of leaves, checked link by link and folded into the state it must have given.

Takes leaves in the order of the chain. Knows nothing of the tree; says what is wrong in words, without personal data.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from sayso.rules.entries import entry_of
from sayso.rules.leaves import LeafRefused, parse
from sayso.rules.state import EMPTY, State, fold, to_bytes

ERASED = "erased"
"""The act that ends a chain for good: after it, and only then, a chain may have no subject any more."""


class Link(NamedTuple):
    """Where a chain stands after some leaves: its pseudonym, folded state, newest leaf hash and act, and place in its log."""

    sub: str
    state: State = EMPTY
    head: bytes = b""
    act: str = ""
    place: tuple[int, int] | None = None


class Replayed(NamedTuple):
    """A chain after one more leaf: the fields (None when unreadable), the new link, and what is wrong with the leaf.

    `breaks`: its prev is not the hash of the leaf before it, so one of the two was changed. `gap`: it does not stand right after that
    leaf in its chain, so what is wrong may stand between the two.
    """

    fields: Mapping[str, Any] | None
    link: Link
    problems: tuple[str, ...]
    breaks: bool = False
    gap: str = ""


def replay(link: Link, leaf: bytes, place: tuple[int, int] | None) -> Replayed:
    """The chain after one more leaf. `place` is (log, seq), None for an entry that is not sequenced yet.

    A leaf that cannot be read or folded leaves the state as it was, but its hash becomes the head: the next leaf shows whether it
    was changed later.
    """
    head = sha256(b"\0" + leaf).digest()  # leaf_hash, without a call for each
    try:
        fields = parse(leaf)
        entry = entry_of(fields)
        state = fold(link.state, entry)
    except (LeafRefused, KeyError, ValueError) as error:
        return Replayed(None, Link(link.sub, link.state, head, link.act, place), (f"no leaf: {error}",))
    problems = []
    if entry.sub != link.sub:
        problems.append("the leaf is of another subject")
    ver, length = fields["ver"], link.state.length
    gap = f"place {ver} of its chain follows place {length}" if ver != length + 1 else ""
    if entry.at <= link.state.last_at:
        problems.append("it is not later than the leaf before it in its chain")
    if link.act == ERASED:
        problems.append("its chain had ended with an erasure")
    problems += _misplaced(link.place, place)
    after = Link(link.sub, state, head, entry.act, place)
    return Replayed(fields, after, tuple(problems), fields["prev"] != link.head.hex(), gap)


def state_bytes(state: State) -> bytes:
    """The bytes a store keeps for this state: none where nothing was folded in."""
    found = to_bytes(state)
    return b"" if found == b"{}" else found


def _misplaced(before: tuple[int, int] | None, place: tuple[int, int] | None) -> list[str]:
    if before is None or place is None:
        return []
    if place[0] == before[0] and place[1] <= before[1]:
        return [f"it stands at {place[1]} of the log, before the leaf it follows at {before[1]}"]
    return []
