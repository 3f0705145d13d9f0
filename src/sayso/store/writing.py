"""One transaction of writes: lock the subjects, judge each act in turn, append everything at once (design section 4, write path).

Acts that touch different subjects share the transaction; what is decided is the same as if each had one of its own.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID

from sayso.contracts.book import Act, Key, KeyReused, Page, Scene, Written
from sayso.rules import fanout, leaves
from sayso.rules.decide import Row
from sayso.rules.entries import Entry, leaf_fields
from sayso.rules.ids import RANDOM_BYTES, shard_of, uuid7
from sayso.rules.merkle import leaf_hash
from sayso.rules.state import EMPTY, to_bytes
from sayso.store import memos
from sayso.store.pool import Connection
from sayso.store.queries import QUERIES
from sayso.store.rows import Held, bound, held, place_of, shards_and_pseudonyms
from sayso.store.shown import read_shown
from sayso.store.vault import Vault

Answer = Written | Exception
"""What becomes of one act: what was kept, or why nothing was."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a transaction needs besides its connection: the pepper, the vault, and chance."""

    pepper: bytes = field(repr=False)
    vault: Vault
    chance: Callable[[int], bytes] = field(repr=False)


@dataclass(slots=True)
class Desk:
    """What lies on the desk during one transaction: the rows as judged so far, and what will be appended."""

    keys: dict[Key, str]
    rows: dict[str, Row]
    locked: dict[str, Held]
    wrapped: dict[str, bytes]
    now: int
    spokes: tuple[fanout.Spoke, ...]
    heads: dict[str, bytes] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    entries: list[tuple[Any, ...]] = field(default_factory=list)
    work: dict[tuple[str, str], str] = field(default_factory=dict)
    opened: dict[str, bytes] = field(default_factory=dict)


async def write_group(connection: Connection, acts: Sequence[Act], tools: Tools) -> list[Answer]:
    """What became of each act, in order; to be called within a transaction. Raises what PostgreSQL raises: then nothing was kept."""
    answers: dict[int, Answer] = dict(await _already(connection, acts, tools))
    open_acts = [(n, act) for n, act in enumerate(acts) if n not in answers]
    if open_acts:
        desk = await _lay_out(connection, [act for _, act in open_acts], tools)
        ticks = _Ticks(desk.now, tools.chance)
        for n, act in open_acts:
            answers[n] = _judge(desk, act, tools, ticks)
        await _append(connection, desk)
        await _show(connection, open_acts, answers, tools)
        await memos.keep(connection, [(act, answers[n]) for n, act in open_acts], desk.now, tools.vault)
    return [answers[n] for n in range(len(acts))]


async def _show(connection: Connection, acts: Sequence[tuple[int, Act]], answers: dict[int, Answer], tools: Tools) -> None:
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
        shown = await read_shown(connection, sorted(wanted), tools.vault)
        answers.update({n: replace(answer, shown=shown) for n, answer in asking.items()})


class _Ticks:
    """Entry ids of one transaction: each a microsecond behind the one before, so that they sort as they were made."""

    def __init__(self, now: int, chance: Callable[[int], bytes]) -> None:
        self.next, self.chance = now, chance

    def new_id(self, sub: str) -> str:
        self.next += 1
        return str(uuid7(self.next, self.chance(RANDOM_BYTES), int(sub[:2], 16)))


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
    """Locks every subject of the acts in (shard, id) order, making the missing ones first, and reads what they are linked to."""
    keys = {key: place_of(tools.pepper, key) for act in acts for key in act.keys}
    records = await _lock(connection, sorted(set(keys.values())))
    missing = {place: key for key, place in keys.items() if place not in records}
    if missing:
        await _make(connection, missing, tools)
        records |= await _lock(connection, sorted(missing))
    locked = {record["pseudonym"].hex(): held(record) for record in records.values()}
    by_place = {(one.shard, one.id): sub for sub, one in locked.items()}
    rows = {sub: one.row for sub, one in locked.items()}
    await read_links(connection, rows)
    clock = await connection.fetchrow(QUERIES["clock_and_spokes"])
    assert clock is not None
    return Desk(
        keys={key: by_place[place] for key, place in keys.items()},
        rows=rows,
        locked=locked,
        wrapped={record["pseudonym"].hex(): record["wrapped"] for record in records.values()},
        now=clock["now"],
        spokes=tuple(fanout.Spoke(*spoke.split()) for spoke in clock["spokes"]),
        heads={sub: one.head for sub, one in locked.items()},
        lengths={sub: one.row.state.length for sub, one in locked.items()},
    )


async def _lock(connection: Connection, places: Sequence[tuple[int, bytes]]) -> dict[tuple[int, bytes], Any]:
    records = await connection.fetchmany(QUERIES["lock_subject"], places)
    return {(record["shard"], record["id"]): record for record in records}


async def _make(connection: Connection, missing: Mapping[tuple[int, bytes], Key], tools: Tools) -> None:
    made = []
    for (shard, subject), key in sorted(missing.items(), key=lambda item: item[0]):
        pseudonym = bytes([shard]) + tools.chance(15)
        data_key, wrapped = tools.vault.new_key(bound("subject_key", pseudonym))
        sealed = tools.vault.seal(data_key, (key.given or key.value).encode(), bound("subject", pseudonym))
        made.append((shard, subject, key.kind, pseudonym, sealed, wrapped))
    await connection.execute(QUERIES["insert_subjects"], *map(list, zip(*made, strict=True)))


async def read_links(connection: Connection, rows: dict[str, Row], *, hops: int = 2) -> None:
    """Adds to `rows` whatever they are linked to: first hop everything, second the addresses of the contacts among those."""
    for hop in range(hops):
        near = rows.values() if hop == 0 else [row for row in rows.values() if row.kind == "contact"]
        wanted = {sub for row in near for sub in row.state.links} - rows.keys()
        if not wanted:
            return
        for record in await connection.fetch(QUERIES["subjects_by_pseudonym"], *shards_and_pseudonyms(sorted(wanted))):
            rows[record["pseudonym"].hex()] = held(record).row


def _judge(desk: Desk, act: Act, tools: Tools, ticks: _Ticks) -> Answer:
    """Judges one act on the rows as the acts before it left them. An exception of the judge is that act's answer alone."""
    page = Page({key: desk.keys[key] for key in act.keys}, desk.rows)
    try:
        judged = act.judge(Scene(page, desk.now, ticks.new_id))
    except Exception as refused:  # noqa: BLE001 - every judge's refusal belongs to its own caller, the group goes on
        return refused
    ruling = judged.ruling
    touched = [row for sub, row in ruling.rows.items() if row.state.version != desk.rows.get(sub, Row(sub, "", EMPTY)).state.version]
    desk.rows = {**desk.rows, **ruling.rows}
    for entry in ruling.entries:
        desk.entries.append(_sealed_entry(desk, entry, act.detail, tools))
    told = touched if not judged.tell_origin else [desk.rows[desk.keys[key]] for key in act.keys]
    for task in fanout.plan(told, desk.rows, desk.spokes, origin="" if judged.tell_origin else act.origin):
        desk.work[(task.connection, task.sub)] = act.origin
    return Written(ruling, Page(page.keys, desk.rows), desk.now)


SALT_BYTES: Final = 32


def _sealed_entry(desk: Desk, entry: Entry, detail: str, tools: Tools) -> tuple[Any, ...]:
    """The entry as a row: chained to the one before it, its personal part committed to and sealed under the subject's key."""
    sub = entry.sub
    pseudonym = bytes.fromhex(sub)
    if sub not in desk.opened:
        desk.opened[sub] = tools.vault.unwrap(desk.wrapped[sub], bound("subject_key", pseudonym))
    plain = detail.encode()
    salt = tools.chance(SALT_BYTES)
    desk.lengths[sub] += 1
    commitment = leaves.commitment(salt, plain).hex()
    act = entry.act if entry.kind != "event" or entry.act in KNOWN_EVENTS else "custom"
    fields = leaf_fields(entry, ver=desk.lengths[sub], prev=desk.heads[sub].hex(), commitment=commitment)
    leaf = leaves.build({**fields, "act": act})
    desk.heads[sub] = leaf_hash(leaf)
    entry_id = UUID(entry.id)
    scope = entry.scope
    return (
        shard_of(entry_id), entry_id, pseudonym, desk.lengths[sub], entry.at, entry.kind, entry.act[:64],
        scope.brand if scope else None, scope.channel if scope else None, scope.category if scope else None,
        entry.src, entry.effect, leaf, tools.vault.seal(desk.opened[sub], salt + plain, bound("detail", entry_id.bytes)),
    )  # fmt: skip


KNOWN_EVENTS: Final = frozenset(
    {"Opt Out", "Opt In", "mail.unsubscribe", "mail.complaint", "mail.bounce", "mail.delivered", "mail.open", "mail.click", "not_relevant"}
)
"""Event names that may stand in a leaf; a custom name could hold anything, so it is kept beside the leaf, not in it."""


async def _append(connection: Connection, desk: Desk) -> None:
    changed = sorted({row[2] for row in desk.entries})
    if not changed:
        return
    columns = [list(column) for column in zip(*desk.entries, strict=True)]
    states = []
    for pseudonym in changed:
        sub = pseudonym.hex()
        state, one = desk.rows[sub].state, desk.locked[sub]
        states.append((one.shard, one.id, state.version, state.length, desk.heads[sub], state.last_at, to_bytes(state)))
    tasks = [(int(sub[:2], 16), UUID(spoke), bytes.fromhex(sub), origin) for (spoke, sub), origin in desk.work.items()]
    shards, spokes, subs, origins = [list(column) for column in zip(*tasks, strict=True)] if tasks else ([], [], [], [])
    saved = [list(column) for column in zip(*states, strict=True)]
    await connection.execute(QUERIES["append"], *columns, *saved, shards, spokes, subs, desk.now, origins)


__all__ = ["Answer", "Tools", "read_links", "write_group"]
