"""Confirm changes: whoever changed something is told by mail, whichever door it came through. Reads the ledger; writes letters only."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sayso.contracts.feed import Fed
from sayso.contracts.letters import Changed, Confirmation, Cursor, Letters, OwnWords
from sayso.rules.times import DAY
from sayso.rules.words import Scope

BATCH: Final = 2_000
STALE: Final = DAY
"""Statements that were made longer ago than this when they were recorded are history that is being loaded: nobody is told of those."""
BY_POLICY: Final = frozenset({"spread_from_email", "opt_in_to_all"})
"""Rules whose entries follow from another one of the same act."""


async def confirm_changes(*, words: Callable[[int], OwnWords], newest: int, letters: Letters, now: int) -> bool:
    """True when there is more to read. `words` gives a log by its number, `newest` is the one that grows.

    A letter to a subject tells what its own voice said and what was applied; what connected systems, imports and relaying programs
    said sends nothing. The letters and the cursor that passed their entries are kept together. Raises Unavailable.
    """
    start = await letters.cursor()
    size = await words(start.log).size()
    if start.seq >= size:
        return start.log < newest and await letters.confirm(start, Cursor(start.log + 1, 0), {}, now=now)
    entries = await words(start.log).read_own(start.seq, BATCH)
    end = Cursor(start.log, min(start.seq + BATCH, size))
    return await letters.confirm(start, end, told(entries), now=now) and end.seq < size


def told(entries: Sequence[Fed]) -> Mapping[str, Confirmation]:
    """What each subject is told about these entries, by pseudonym."""
    spoken_at: dict[str, str] = {}
    for one in entries:
        twin = one.fields.get("x", {}).get("twin")
        if twin and one.about_kind == "email":
            spoken_at.setdefault(str(twin), one.sub)
    found: dict[str, Confirmation] = {}
    for one in entries:
        if not _is_told(one.fields):
            continue
        held = found.get(one.sub, Confirmation(()))
        language = str((one.detail or {}).get("language") or "") or held.language
        found[one.sub] = Confirmation((*held.changes, _changed(one)), language, spoken_at.get(one.id, "") or held.address)
    return found


def _is_told(leaf: Mapping[str, Any]) -> bool:
    spoken = leaf["t"] in ("choice", "pause") and leaf["effect"] == "applied" and leaf.get("own") == 1
    return spoken and "twin" not in leaf.get("x", {}) and leaf.get("rule", "") not in BY_POLICY and leaf["at"] - leaf["ts"] <= STALE


def _changed(one: Fed) -> Changed:
    leaf, x = one.fields, one.fields.get("x", {})
    return Changed(
        one.id, leaf["t"], Scope(*leaf["scope"]), str(x.get("old", "")), str(x.get("new", "")), leaf["at"], leaf["src"],
        leaf.get("rule", ""), int(x.get("until", 0)),
    )  # fmt: skip
