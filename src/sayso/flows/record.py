"""Record: the one way in. Everything that changes a choice ends here."""

import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from sayso.contracts.book import Act, Book, Judged, Key, Memo, Page, Scene, Shown, StaleVersion, Written, readings_of, version_of
from sayso.contracts.ground import Ground
from sayso.rules.decide import decide
from sayso.rules.state import is_tombstone
from sayso.rules.statements import Choose, Restore, Row, Ruling, Statement, Tie, Told, Voice, Word
from sayso.rules.subjects import Address, aliases
from sayso.rules.values import Value
from sayso.rules.view import Reading
from sayso.rules.words import SECOND_HAND


class ChangeRefused(Exception):
    """A rule forbids the change; the attempt was logged. `pointers` are JSON Pointers to every refused part."""

    def __init__(self, rule: str, detail: str, pointers: tuple[str, ...]) -> None:
        super().__init__(detail)
        self.rule, self.detail, self.pointers = rule, detail, pointers


class Said(Value, frozen=True):
    """One act by somebody through some door.

    `contact` and `address` are whom it is about (at least one), `ties` further addresses of the contact with whether each becomes
    the primary one. `personal` is the part that is kept encrypted apart from the ledger (reason, IP, user agent, properties, …).
    `if_version` is a precondition. `origin` is the connection it came through, `seen` the vendor's event id. `shown` asks for what a
    document needs, read in the same transaction.
    """

    voice: Voice
    words: tuple[Word, ...] = ()
    contact: Key | None = None
    address: Key | None = None
    ties: tuple[tuple[Key, bool], ...] = ()
    given_ts: int | None = None
    personal: Mapping[str, Any] = MappingProxyType({})
    if_version: int | None = None
    origin: str = ""
    seen: str = ""
    refused: ChangeRefused | None = None
    shown: bool = False


class Recorded(Value, frozen=True):
    """What became of an act: the ruling, the page after it, and the row it was about (the contact's where one was named)."""

    ruling: Ruling | None
    page: Page
    about: Row | None
    now: int
    replayed: tuple[int, bytes] | None = None
    duplicate: bool = False
    shown: Shown | None = None


def key_of(address: Address) -> Key:
    """The key of an address's row."""
    return Key(address.kind, address.value, address.given)


async def record(said: Said, *, book: Book, ground: Ground, memo: "Memory | None" = None) -> Recorded:
    """The act, kept and acknowledged.

    `memo` is (client, idempotency key, fingerprint, render): the rendered answer is kept in the same transaction. Raises
    Unavailable, StaleVersion, KeyReused, and the act's own ChangeRefused after its attempt was logged.
    """
    became = _became(said, await book.write(act_of(said, ground, memo)))
    if isinstance(became, Exception):
        raise became
    return became


Memory = tuple[str, str, bytes, Callable[["Recorded"], tuple[int, bytes]]]
"""Client, idempotency key, fingerprint, and how the answer is rendered that is kept under the key."""


async def record_all(acts: Sequence[tuple[Said, Ground, Memory | None]], *, book: Book) -> list[Recorded | Exception]:
    """Many acts, each kept as `record` keeps one; what became of each, in order. They must not be about the same people."""
    written = await book.write_all([act_of(*act) for act in acts])
    return [_became(said, one) for (said, *_), one in zip(acts, written, strict=True)]


def _became(said: Said, written: Written | Exception) -> Recorded | Exception:
    if isinstance(written, Exception):
        return written
    if said.refused is not None and written.ruling is not None:
        return said.refused
    return recorded(said, written)


def recorded(said: Said, written: Written) -> Recorded:
    """What was written, seen from the one who said it."""
    about = written.page.row(said.contact or said.address)
    return Recorded(written.ruling, written.page, about, written.now, written.replayed, written.duplicate, written.shown)


_WRITER: Final = json.JSONEncoder(sort_keys=True, ensure_ascii=False)


def act_of(said: Said, ground: Ground, memo: Memory | None = None) -> Act:
    """The act as the book takes it: the rows it needs and the pure judge over them."""
    if said.contact is None and said.address is None:
        raise ValueError("an act is about a contact or an address")
    lookalikes = _lookalikes(said)
    keys = tuple(dict.fromkeys([key for key in (said.contact, said.address, *[key for key, _ in said.ties], *lookalikes) if key]))
    kept = None
    if memo is not None:
        client, name, fingerprint, render = memo
        kept = Memo(client, name, fingerprint, lambda written: render(recorded(said, written)))
    kept_apart = {k: v for k, v in said.personal.items() if v is not None}
    personal = _WRITER.encode(kept_apart) if kept_apart else "{}"
    return Act(keys, lambda scene: _judge(said, lookalikes, scene, ground.window), personal, said.origin, said.seen, kept, said.shown)


def _lookalikes(said: Said) -> tuple[Key, ...]:
    """Where an opt-out through an address is kept, and taken back, besides: other spellings of it, that checks of any spelling look at."""
    if said.address is None or not any(isinstance(word, Restore) or (isinstance(word, Choose) and word.out) for word in said.words):
        return ()
    return tuple([key_of(other) for other in aliases(Address(said.address.kind, said.address.value, said.address.given))[1:]])


def _judge(said: Said, lookalikes: tuple[Key, ...], scene: Scene, window: int) -> Judged:
    page = scene.page
    about = page.row(said.contact or said.address)
    assert about is not None  # the book locked it
    if said.if_version is not None and (version := version_of(about, page.linked(about))) != said.if_version:
        raise StaleVersion(version)
    ties = [Tie(page.keys[key], primary) for key, primary in said.ties] if said.contact and said.ties else []
    statement = Statement(
        said.voice, (*ties, *said.words), page.keys[said.contact] if said.contact else "", page.keys[said.address] if said.address else "",
        tuple([page.keys[key] for key in lookalikes]), said.given_ts, said.refused.rule if said.refused else "",
    )  # fmt: skip
    if said.voice.src in SECOND_HAND and all(is_tombstone(page.rows[sub].state) for sub in (statement.contact, statement.address) if sub):
        # A list or system that is behind must not bring back what was erased; everything is denied already.
        told = tuple(Told(word, "unchanged", "erased", "opted_out" if isinstance(word, Choose) else "", ()) for word in said.words)
        return Judged(Ruling((), {}, told))
    own = {sub: page.rows[sub] for sub in page.keys.values()}

    def read(rows: Mapping[str, Row]) -> tuple[Reading, ...]:
        if not (known := rows[about.sub]).state.links:
            return readings_of(known, ())
        after = Page(page.keys, {**page.rows, **rows})
        row = after.rows[about.sub]
        return readings_of(row, after.linked(row))

    ruling = decide(statement, own, readings=read, now=scene.now, new_id=scene.new_id, window=window)
    lost = bool(said.origin) and any(told.effect in ("superseded", "quarantined") for told in ruling.told)
    return Judged(ruling, tell_origin=lost)
