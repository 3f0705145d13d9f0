"""Recall: what would have been answered at an earlier moment, from the entries that existed then. Reads only, and promises nothing."""

from collections.abc import Mapping, Sequence

from sayso.contracts.book import Book, Key
from sayso.contracts.gatehouse import Found
from sayso.contracts.ground import Ground
from sayso.flows.check import Question, people_of
from sayso.rules import gate
from sayso.rules.entries import entry_of
from sayso.rules.gate import Verdict
from sayso.rules.state import EMPTY, State, fold
from sayso.rules.statements import Row
from sayso.rules.subjects import aliases

PAGE = 500
LONGEST = 20_000
"""Entries of everybody involved that are read at most."""


class TooMuch(Exception):
    """These people have more entries than one answer reads."""


async def recall(questions: Sequence[Question], at: int, *, book: Book, ground: Ground) -> list[Verdict]:
    """The verdicts in order, as of `at` (microseconds): states are folded from the entries received up to then.

    The catalogue, the laws and the default country are today's; caps are not weighed, for promises are not kept for ever. All questions
    must be about the same people. Raises TooMuch and Unavailable.
    """
    contact = questions[0].contact
    address = next((one.address for one in questions if one.address is not None), None)
    named, *looks = (Key(one.kind, one.value, one.given) for one in aliases(address)) if address else (None,)
    page = await book.read([key for key in (contact, named, *looks) if key is not None])
    rows = await _as_of(page.rows, at, book)

    def row(key: Key | None) -> Row | None:
        sub = page.keys.get(key) if key else None
        return rows.get(sub) if sub else None

    found = Found(row(contact), row(named), tuple(one for key in looks if (one := row(key))), rows)
    return [
        gate.may_send(
            one.ask, people_of(one, found), version=_version(found), now=at, window=ground.window, default_country=ground.default_country
        )
        for one in questions
    ]


async def _as_of(rows: Mapping[str, Row], at: int, book: Book) -> dict[str, Row]:
    """The rows as they were; those about whom nothing had been said yet are missing."""
    states: dict[str, State] = {}
    cursor, read = "", 0
    while batch := await book.entries(sorted(rows), kinds=(), after=cursor, limit=PAGE, newest_first=False):
        for noted in batch:
            entry = entry_of(dict(noted.fields))
            if entry.at <= at:
                states[noted.sub] = fold(states.get(noted.sub, EMPTY), entry)
        cursor, read = batch[-1].id, read + len(batch)
        if read > LONGEST:
            raise TooMuch
        if len(batch) < PAGE:
            break
    return {sub: Row(sub, rows[sub].kind, state) for sub, state in states.items()}


def _version(found: Found) -> int:
    row = found.contact or found.address
    return row.state.version if row else 0
