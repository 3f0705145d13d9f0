"""The book: where choices are kept. What flows ask of it, and the values that cross between them and the store.

Subjects are named by `Key`; inside they are pseudonyms in hex, so that nothing above the store handles keyed hashes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sayso.rules.decide import NewId
from sayso.rules.state import is_tombstone
from sayso.rules.statements import Row, Ruling
from sayso.rules.values import Value
from sayso.rules.view import Reading


class Unavailable(Exception):
    """The store cannot be reached or did not answer; try again. Checks answer unknown_state, writes 503."""


class StaleVersion(Exception):
    """A precondition failed: the state moved on since the caller read it. `version` is the current one."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the state is at version {version} now")
        self.version = version


class KeyReused(Exception):
    """An idempotency key came again with another request."""


class Key(Value, frozen=True):
    """Names one subject: its kind and normalised value; `given` is how it was written, kept for showing and telling."""

    kind: str
    value: str
    given: str = ""


class Page(Value, frozen=True):
    """Rows read together, by pseudonym: those asked for, what they are linked to, and the links of those."""

    keys: Mapping[Key, str]
    rows: Mapping[str, Row]

    def row(self, key: Key | None) -> Row | None:
        """The row of a key that was asked for; None when nothing was ever recorded about it."""
        sub = self.keys.get(key) if key else None
        return self.rows.get(sub) if sub else None

    def known(self, key: Key | None) -> Row | None:
        """The row of a key as it may be shown: None also where an erasure left nothing but restrictions."""
        row = self.row(key)
        return None if row is None or is_tombstone(row.state) else row

    def linked(self, row: Row) -> tuple[Row, ...]:
        """The rows this one is linked to, the newest primary first."""
        if not row.state.links:
            return ()
        order = sorted(row.state.links.items(), key=lambda item: (item[1].primary, item[1].entry), reverse=True)
        return tuple(self.rows[sub] for sub, _ in order if sub in self.rows)


def readings_of(row: Row | None, linked: Sequence[Row]) -> tuple[Reading, ...]:
    """How a subject is read: a contact with each of its addresses, an address with each of its contacts."""
    if row is None:
        return (Reading("", ()),)
    if not linked:
        return (Reading(row.sub if row.kind == "contact" else "", (row.state,)),)
    if row.kind == "contact":
        return tuple(Reading(row.sub, (row.state, other.state)) for other in linked) or (Reading(row.sub, (row.state,)),)
    contacts = [other for other in linked if other.kind == "contact"]
    return tuple(Reading(other.sub, (other.state, row.state)) for other in contacts) or (Reading("", (row.state,)),)


def version_of(row: Row | None, linked: Sequence[Row]) -> int:
    """The version people see: the row's own, and for a contact the sum over its addresses too, so that theirs move it."""
    if row is None:
        return 0
    if not linked or row.kind != "contact":
        return row.state.version
    return row.state.version + sum(other.state.version for other in linked)


class Judged(Value, frozen=True):
    """What a judge returns: the ruling, and whether the system it came from must be told as well (it holds something else now)."""

    ruling: Ruling
    tell_origin: bool = False


class Scene(Value, frozen=True, gc=True):
    """The rows of one act, locked, with what they are linked to; `now` is the database's clock in microseconds."""

    page: Page
    now: int
    new_id: NewId


@dataclass(frozen=True, slots=True)
class Noted:
    """One entry as it is shown: the leaf's fields, its personal part (None once erased), and its index in the log, if sequenced."""

    id: str
    sub: str
    fields: Mapping[str, Any]
    detail: Mapping[str, Any] | None
    index: int | None
    act: str = ""


class Shown(Value, frozen=True):
    """What a document needs besides rows, by pseudonym: names as they were given, and each subject's latest applied choice or pause."""

    names: Mapping[str, str]
    latest: Mapping[str, Noted]


class Memo(Value, frozen=True, gc=True):
    """An answer to keep under a client's idempotency key; `render` turns the written act into the bytes that were answered."""

    client: str
    key: str
    fingerprint: bytes
    render: Callable[["Written"], tuple[int, bytes]]


class Act(Value, frozen=True, gc=True):
    """One statement to be kept: the rows it needs, the pure judge, and the personal part (canonical JSON) that is kept apart.

    `origin` is the connection it came from ("" for none), `seen` a vendor's event id that must count once. `shown` asks for what a
    document over the rows needs besides them, read in the same transaction.
    """

    keys: tuple[Key, ...]
    judge: Callable[[Scene], Judged]
    detail: str = "{}"
    origin: str = ""
    seen: str = ""
    memo: Memo | None = None
    shown: bool = False


class Written(Value, frozen=True):
    """What was kept: the ruling, and the page after it. `replayed` holds a stored answer, `duplicate` an event that had counted."""

    ruling: Ruling | None
    page: Page
    now: int
    replayed: tuple[int, bytes] | None = None
    duplicate: bool = False
    shown: Shown | None = None


class Book(Protocol):
    """Reads are strong: they see every acknowledged write."""

    async def write(self, act: Act) -> Written:
        """Keeps one act; concurrent ones share a transaction. Raises Unavailable, StaleVersion, KeyReused, and what the judge raises."""

    async def write_all(self, acts: Sequence[Act]) -> Sequence[Written | Exception]:
        """Keeps many acts, each as `write` does; what became of each, in order."""

    async def read(self, keys: Sequence[Key]) -> Page:
        """The rows of the keys, of what they are linked to, and of what contacts among those are linked to."""

    async def read_subs(self, subs: Sequence[str]) -> Mapping[str, Row]:
        """The rows of pseudonyms, with what they are linked to."""

    async def shown(self, subs: Sequence[str]) -> Shown:
        """What a document over these subjects needs besides their rows."""

    async def names(self, subs: Sequence[str]) -> Mapping[str, str]:
        """The values of subjects as they were given; erased ones are missing."""

    async def entries(self, subs: Sequence[str], *, kinds: Sequence[str], after: str, limit: int, newest_first: bool) -> list[Noted]:
        """The entries of subjects in the order of their ids, beginning behind `after` ("" for the start)."""
