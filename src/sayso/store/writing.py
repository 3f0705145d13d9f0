"""One transaction of writes: lock the subjects, judge each act in turn, append everything at once (design section 4, write path).

Acts that touch different subjects share the transaction; what is decided is the same as if each had one of its own.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sayso.contracts.book import Act, Key, KeyReused, Noted, Page, Scene, Shown, Written
from sayso.rules import fanout, leaves
from sayso.rules.entries import Entry
from sayso.rules.happenings import HIDDEN, event_column
from sayso.rules.ids import RANDOM_BYTES, uuid7_text
from sayso.rules.leaf_text import leaf_of
from sayso.rules.merkle import leaf_hash
from sayso.rules.state import EMPTY, to_bytes
from sayso.rules.statements import Row
from sayso.rules.subjects import CONTACT
from sayso.rules.values import altered
from sayso.store import memos
from sayso.store.appending import append, name_again
from sayso.store.pool import Connection
from sayso.store.queries import QUERIES
from sayso.store.rows import bound_before, held, place_of, shards_and_pseudonyms
from sayso.store.shown import is_own_word, read_shown
from sayso.store.vault import KEY_BYTES, Vault, Wrap

BREATH: Final = 10
"""Acts judged at a stretch: whoever else waits in this process (a check) must not wait for a whole group."""
Answer = Written | Exception
"""What becomes of one act: what was kept, or why nothing was."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a transaction needs besides its connection: the pepper, the vault, and chance."""

    pepper: bytes = field(repr=False)
    vault: Vault
    chance: Callable[[int], bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class New:
    """A subject that nobody had recorded anything about: what never changes of its row, its data key wrapped, and its name in clear."""

    kind: str
    sealed: bytes
    wrapped: bytes
    name: str = field(repr=False)


@dataclass(slots=True)
class Desk:
    """What lies on the desk during one transaction: the rows as judged so far, and what will be kept."""

    keys: dict[Key, str]
    rows: dict[str, Row]
    places: dict[str, tuple[int, bytes]]
    heads: dict[str, bytes]
    lengths: dict[str, int]
    data_keys: dict[str, AESGCM]
    new: dict[str, New]
    nameless: dict[str, Key]
    now: int
    spokes: tuple[fanout.Spoke, ...]
    entries: list[tuple[Any, ...]] = field(default_factory=list)
    work: dict[tuple[str, str], str] = field(default_factory=dict)
    again: dict[str, New] = field(default_factory=dict)
    latest: dict[str, Noted] = field(default_factory=dict)
    """The latest applied choice or pause of new subjects, with what a document shows of it: of others the table knows more."""


async def write_group(connection: Connection, acts: Sequence[Act], tools: Tools) -> list[Answer]:
    """What became of each act, in order; to be called within a transaction. Raises what PostgreSQL raises: then nothing was kept."""
    answers: dict[int, Answer] = dict(await _already(connection, acts, tools))
    open_acts = [(n, act) for n, act in enumerate(acts) if n not in answers]
    if open_acts:
        desk = await _lay_out(connection, [act for _, act in open_acts], tools)
        ticks = _Ticks(desk.now, tools.chance)
        for place, (n, act) in enumerate(open_acts):
            answers[n] = _judge(desk, act, tools, ticks)
            if place % BREATH == BREATH - 1:
                await asyncio.sleep(0)
        await _append(connection, desk)
        await _show(connection, desk, open_acts, answers, tools.vault)
        await memos.keep(connection, [(act, answers[n]) for n, act in open_acts], desk.now, tools.vault)
    return [answers[n] for n in range(len(acts))]


async def _show(connection: Connection, desk: Desk, acts: Sequence[tuple[int, Act]], answers: dict[int, Answer], vault: Vault) -> None:
    """Adds to the answers of acts that ask for it what a document over their rows needs: read once for the whole group."""
    wanted: set[str] = set()
    asking: dict[int, Written] = {}
    for n, act in acts:
        answer = answers[n]
        if act.shown and isinstance(answer, Written):
            asking[n] = answer
            about = answer.page.row(act.keys[0])
            wanted.update([about.sub, *about.state.links] if about else [])
    if wanted:
        read = await read_shown(connection, sorted(wanted - desk.new.keys()), vault)
        shown = Shown({**read.names, **{sub: one.name for sub, one in desk.new.items()}}, {**read.latest, **desk.latest})
        answers.update({n: altered(answer, shown=shown) for n, answer in asking.items()})


class _Ticks:
    """Entry ids of one transaction: each a microsecond behind the one before, so that they sort as they were made."""

    def __init__(self, now: int, chance: Callable[[int], bytes]) -> None:
        self.next, self.chance = now, chance

    def new_id(self, sub: str) -> str:
        self.next += 1
        return uuid7_text(self.next, self.chance(RANDOM_BYTES), int(sub[:2], 16))


async def _already(connection: Connection, acts: Sequence[Act], tools: Tools) -> Mapping[int, Answer]:
    """The acts that need no writing: answered before under the same idempotency key, or events that counted before."""
    found: dict[int, Answer] = {}
    for n, act in enumerate(acts):
        if act.memo is not None and (stored := await memos.find(connection, act.memo, tools.vault)) is not None:
            same = stored.fingerprint == act.memo.fingerprint
            found[n] = Written(None, Page({}, {}), 0, replayed=stored.answer) if same else KeyReused(act.memo.key)
    seen = {n: hashlib.sha256(act.seen.encode()).digest() for n, act in enumerate(acts) if act.seen and n not in found}
    if seen:
        now = await connection.fetchval("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        origins = [UUID(acts[n].origin) for n in seen]
        rows = await connection.fetch(QUERIES["see_events"], [e[0] for e in seen.values()], origins, list(seen.values()), now)
        fresh = {(row["connection"], row["event"]) for row in rows}
        for n, event in seen.items():
            place = (UUID(acts[n].origin), event)
            if place not in fresh:
                found[n] = Written(None, Page({}, {}), now, duplicate=True)
            fresh.discard(place)
    return found


async def _lay_out(connection: Connection, acts: Sequence[Act], tools: Tools) -> Desk:
    """Locks every subject of the acts in (shard, id) order and reads what they are linked to; who is missing gets a row at the end."""
    keys = {key: place_of(tools.pepper, key) for key in {key: None for act in acts for key in act.keys}}
    order = sorted(set(keys.values()))
    records = await connection.fetch(QUERIES["lock_subjects"], [subject for _, subject in order])
    found = {(one.shard, one.id): one for one in map(held, records)}
    subs = {place: one.row.sub for place, one in found.items()}
    rows = {one.row.sub: one.row for one in found.values()}
    clock = await connection.fetchrow(QUERIES["clock_and_spokes"], [bytes.fromhex(sub) for sub in rows])
    assert clock is not None
    unwrap = tools.vault.unwrapper()
    pairs = zip(clock["subs"], clock["wrapped"], strict=True)
    data_keys = {sub.hex(): AESGCM(unwrap(wrapped, _KEY_PLACE + sub)) for sub, wrapped in pairs}
    await read_links(connection, rows)
    new: dict[str, New] = {}
    wrap = tools.vault.wrapper()
    for key, place in keys.items():
        if place not in subs:
            sub, row, data_key = _made(key, place, tools, wrap)
            subs[place], new[sub], data_keys[sub], rows[sub] = sub, row, data_key, Row(sub, key.kind, EMPTY)
    nameless = {subs[place]: key for key, place in keys.items() if subs[place] not in data_keys}
    return Desk(
        keys={key: subs[place] for key, place in keys.items()},
        rows=rows,
        places={sub: place for place, sub in subs.items()},
        heads={sub: found[place].head if place in found else b"" for place, sub in subs.items()},
        lengths={sub: rows[sub].state.length for sub in subs.values()},
        data_keys=data_keys,
        new=new,
        nameless=nameless,
        now=clock["now"],
        spokes=tuple(fanout.Spoke(*spoke.split()) for spoke in clock["spokes"]),
    )


def _made(key: Key, place: tuple[int, bytes], tools: Tools, wrap: Wrap) -> tuple[str, New, AESGCM]:
    """A new subject: its pseudonym, the rest of its row, its data key."""
    pseudonym = bytes([place[0]]) + tools.chance(15)
    return pseudonym.hex(), *_named(key, pseudonym, tools, wrap)


_NAME_PLACE: Final = bound_before("subject")
_KEY_PLACE: Final = bound_before("subject_key")
_DETAIL_PLACE: Final = bound_before("detail")


def _named(key: Key, pseudonym: bytes, tools: Tools, wrap: Wrap) -> tuple[New, AESGCM]:
    """What a subject gets with its first word, or with the first after an erasure: a data key, and its name under it."""
    raw = tools.chance(KEY_BYTES)
    data_key = AESGCM(raw)
    name = key.given or key.value
    sealed = tools.vault.seal(data_key, name.encode(), _NAME_PLACE + pseudonym)
    return New(key.kind, sealed, wrap(raw, _KEY_PLACE + pseudonym), name), data_key


async def read_links(connection: Connection, rows: dict[str, Row], *, hops: int = 2) -> None:
    """Adds to `rows` whatever they are linked to: first hop everything, second the addresses of the contacts among those."""
    for hop in range(hops):
        near = rows.values() if hop == 0 else [row for row in rows.values() if row.kind == "contact"]
        wanted = {sub for row in near for sub in row.state.links} - rows.keys()
        if not wanted:
            return
        for record in await connection.fetch(QUERIES["subjects_by_pseudonym"], *shards_and_pseudonyms(sorted(wanted))):
            rows[record["pseudonym"].hex()] = held(record).row


def _page(desk: Desk, act: Act) -> Page:
    """The rows of one act, of what those are linked to, and of the links of contacts among these: no more than an act alone would see."""
    keys = {key: desk.keys[key] for key in act.keys}
    rows = {sub: desk.rows[sub] for sub in keys.values()}
    for row in rows.values():
        if row.state.links:
            break
    else:
        return Page(keys, rows)
    near = {sub: desk.rows[sub] for row in rows.values() for sub in row.state.links if sub in desk.rows}
    far = (sub for row in near.values() if row.kind == CONTACT for sub in row.state.links)
    return Page(keys, {**{sub: desk.rows[sub] for sub in far if sub in desk.rows}, **near, **rows})


def _judge(desk: Desk, act: Act, tools: Tools, ticks: _Ticks) -> Answer:
    """Judges one act on the rows as the acts before it left them. An exception of the judge is that act's answer alone."""
    page = _page(desk, act)
    try:
        judged = act.judge(Scene(page, desk.now, ticks.new_id))
    except Exception as refused:  # noqa: BLE001 - every judge's refusal belongs to its own caller, the group goes on
        return refused
    ruling = judged.ruling
    before = {sub: desk.rows[sub].state.version for sub in ruling.rows} if desk.spokes else {}
    desk.rows.update(ruling.rows)
    for entry in ruling.entries:
        desk.entries.append(_sealed_entry(desk, entry, act.detail, act.shown, tools))
    if desk.spokes:
        touched = [row for sub, row in ruling.rows.items() if row.state.version != before[sub]]
        told = touched if not judged.tell_origin else [desk.rows[desk.keys[key]] for key in act.keys]
        for task in fanout.plan(told, desk.rows, desk.spokes, origin="" if judged.tell_origin else act.origin):
            desk.work[(task.connection, task.sub)] = act.origin
    return Written(ruling, _page(desk, act), desk.now)


SALT_BYTES: Final = 32


def _sealed_entry(desk: Desk, entry: Entry, detail: str, is_shown: bool, tools: Tools) -> tuple[Any, ...]:
    """The entry as a row: chained to the one before it, its personal part committed to and sealed under the subject's key."""
    sub = entry.sub
    if sub in desk.nameless and sub not in desk.data_keys:
        desk.again[sub], desk.data_keys[sub] = _named(desk.nameless[sub], bytes.fromhex(sub), tools, tools.vault.wrapper())
    column = event_column(entry.act) if entry.kind == "event" else entry.act[:64]
    if column.startswith(HIDDEN):
        detail = json.dumps({**json.loads(detail), "event": entry.act}, sort_keys=True, ensure_ascii=False)
    plain = detail.encode()
    salt = tools.chance(SALT_BYTES)
    ver = desk.lengths[sub] = desk.lengths[sub] + 1
    prev, commitment = desk.heads[sub].hex(), leaves.commitment(salt, plain).hex()
    told = altered(entry, act="custom") if column.startswith(HIDDEN) else entry
    leaf = leaf_of(told, ver=ver, prev=prev, commitment=commitment)
    desk.heads[sub] = leaf_hash(leaf)
    if is_shown and sub in desk.new and is_own_word(entry):
        personal = json.loads(detail) if plain != b"{}" else {}
        fields = {"at": entry.at, "src": entry.src, "x": {"method": entry.method}}
        desk.latest[sub] = Noted(entry.id, sub, fields, personal, None, entry.act)
    raw = bytes.fromhex(entry.id.replace("-", ""))
    return (
        raw[-1], entry.id, bytes.fromhex(sub), ver, entry.at, entry.kind, column, *(entry.scope or (None, None, None)),
        entry.src, entry.effect, leaf, tools.vault.seal(desk.data_keys[sub], salt + plain, _DETAIL_PLACE + raw),
    )  # fmt: skip


async def _append(connection: Connection, desk: Desk) -> None:
    """Keeps everything; a subject that another transaction made first raises UniqueViolationError."""
    changed = sorted({row[2] for row in desk.entries} - {bytes.fromhex(sub) for sub in desk.new})
    if not changed and not desk.new:
        return
    saved = [_saved(desk, pseudonym.hex()) for pseudonym in changed]
    made = sorted([(*_saved(desk, sub), one.kind, bytes.fromhex(sub), one.sealed, one.wrapped) for sub, one in desk.new.items()])
    tasks = [(int(sub[:2], 16), UUID(spoke), bytes.fromhex(sub), origin) for (spoke, sub), origin in desk.work.items()]
    await append(connection, desk.now, desk.entries, saved, tasks, made)
    if desk.again:
        await name_again(
            connection, sorted((*desk.places[sub], bytes.fromhex(sub), one.sealed, one.wrapped) for sub, one in desk.again.items())
        )


def _saved(desk: Desk, sub: str) -> tuple[Any, ...]:
    state = desk.rows[sub].state
    return (*desk.places[sub], state.version, state.length, desk.heads[sub], state.last_at, to_bytes(state))


__all__ = ["Answer", "Tools", "read_links", "write_group"]
