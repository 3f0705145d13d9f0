"""Random ways to tamper with a ledger. Each says which place of the log is the first that is bad by it, where one is."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from in_memory import Rows
from ledger_writer import MALLORYS

from sayso.contracts.ledger import Kept, Stored
from sayso.rules.leaves import build, parse


@dataclass(frozen=True, slots=True)
class Bad:
    """The first bad place (None: nothing in the log itself is bad), and whether verify must name exactly it, not only a range with it."""

    place: int | None = None
    exactly: bool = False


Tampering = Callable[[Rows, random.Random], Bad]


def flipped(data: bytes, chance: random.Random) -> bytes:
    """The bytes with one bit turned."""
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << chance.randrange(8))]) + data[place + 1 :]


def placed(rows: Rows, chance: random.Random) -> tuple[int, Stored]:
    place = chance.randrange(len(rows.order))
    entry = rows.order[place]
    assert entry is not None
    return place, rows.stored[entry]


def other_leaf(row: Stored) -> bytes:
    """The leaf with the opposite choice: well formed, in its place, by the right subject."""
    fields = parse(row.leaf)
    fields["x"]["new"] = "opted_out" if fields["x"]["new"] == "opted_in" else "opted_in"
    return build(fields)


def a_bit_of_a_leaf(rows: Rows, chance: random.Random) -> Bad:
    place, row = placed(rows, chance)
    rows.stored[row.id] = row._replace(leaf=flipped(row.leaf, chance))
    return Bad(place, exactly=True)


def a_leaf_rewritten(rows: Rows, chance: random.Random) -> Bad:
    place, row = placed(rows, chance)
    rows.stored[row.id] = row._replace(leaf=other_leaf(row))
    return Bad(place, exactly=True)


def a_leaf_rewritten_with_tiles_and_state(rows: Rows, chance: random.Random) -> Bad:
    bad = a_leaf_rewritten(rows, chance)
    rows.rehash()
    for sub in list(rows.subjects):
        rows.refold(sub)
    return Bad(bad.place)


def all_signed_anew(rows: Rows, chance: random.Random) -> Bad:
    """Rewritten by somebody who holds the signing key too: chains and anchors know better."""
    bad = a_leaf_rewritten(rows, chance)
    rows.sign(rows.rehash(), [row.size for row in rows.signed])
    return Bad(bad.place)


def signed_by_another_key(rows: Rows, chance: random.Random) -> Bad:
    rows.sign(rows.rehash(), [row.size for row in rows.signed], MALLORYS)
    return Bad()


def an_entry_dropped(rows: Rows, chance: random.Random) -> Bad:
    place, row = placed(rows, chance)
    del rows.stored[row.id]
    return Bad(place, exactly=True)


def a_place_dropped(rows: Rows, chance: random.Random) -> Bad:
    place, _ = placed(rows, chance)
    rows.order[place] = None
    return Bad(place, exactly=place < len(rows.order) - 1)


def an_entry_dropped_and_all_moved_up(rows: Rows, chance: random.Random) -> Bad:
    place, row = placed(rows, chance)
    del rows.order[place], rows.stored[row.id]
    rows.rehash()
    return Bad(place)


def two_places_swapped(rows: Rows, chance: random.Random) -> Bad:
    first, second = sorted(chance.sample(range(len(rows.order)), 2))
    rows.order[first], rows.order[second] = rows.order[second], rows.order[first]
    return Bad(first, exactly=True)


def two_places_swapped_with_tiles(rows: Rows, chance: random.Random) -> Bad:
    bad = two_places_swapped(rows, chance)
    rows.rehash()
    return Bad(bad.place)


def forged(rows: Rows, chance: random.Random) -> Stored:
    """A new entry of somebody, after the newest of their chain, well formed in everything."""
    sub = placed(rows, chance)[1].sub
    last = max((row for row in rows.stored.values() if row.sub == sub), key=lambda row: row.ver)
    kept, fresh = rows.subjects[last.sub], UUID(int=last.id.int ^ chance.getrandbits(40) << 8)
    fields: dict[str, Any] = {**parse(last.leaf), "id": str(fresh), "ver": last.ver + 1, "prev": kept.head.hex(), "at": last.at + 1}
    return last._replace(id=fresh, leaf=build(fields), ver=last.ver + 1, at=last.at + 1, log=None, seq=None, waits=False)


def an_entry_inserted_beside_the_log(rows: Rows, chance: random.Random) -> Bad:
    row = forged(rows, chance)
    rows.stored[row.id] = row
    rows.refold(row.sub)
    return Bad()


def an_entry_inserted_in_the_log(rows: Rows, chance: random.Random) -> Bad:
    row, place = forged(rows, chance), chance.randrange(len(rows.order))
    rows.stored[row.id] = row
    rows.order.insert(place, row.id)
    rows.rehash()
    rows.refold(row.sub)
    return Bad(place)


def the_log_cut(rows: Rows, chance: random.Random) -> Bad:
    size = chance.randrange(1, len(rows.order))
    del rows.order[size:]
    return Bad(size, exactly=True)


def the_log_cut_and_made_to_fit(rows: Rows, chance: random.Random) -> Bad:
    """Everything after a place forgotten without a trace, signed anew: only what was kept outside knows better."""
    size = chance.randrange(1, len(rows.order))
    gone = [entry for entry in rows.order[size:] if entry] + list(rows.waits)
    subs = {rows.stored.pop(entry).sub for entry in gone}
    del rows.order[size:]
    rows.waits.clear()
    rows.sign(rows.rehash(), [size])
    for sub in subs:
        rows.refold(sub)
        if not rows.subjects[sub].length:
            del rows.subjects[sub]
    return Bad(size)


def a_bit_of_a_tile(rows: Rows, chance: random.Random) -> Bad:
    key = chance.choice(sorted(rows.tiles))
    level, n = key
    data = rows.tiles[key]
    rows.tiles[key] = flipped(data, chance)
    wrong = next(i for i in range(len(data)) if rows.tiles[key][i] != data[i]) // 32
    return Bad((n * 256 + wrong) << (8 * level), exactly=True)


def a_tile_cut_dropped_or_added(rows: Rows, chance: random.Random) -> Bad:
    key = chance.choice(sorted(rows.tiles))
    match chance.randrange(3):
        case 0:
            rows.tiles[key] = rows.tiles[key][: -32 * chance.randrange(1, len(rows.tiles[key]) // 32 + 1)]
        case 1:
            del rows.tiles[key]
        case _:
            rows.tiles[key[0], key[1] + 1_000] = bytes(32)
    return Bad()


def a_column(rows: Rows, chance: random.Random) -> Bad:
    place, row = placed(rows, chance)
    changes: list[dict[str, Any]] = [
        {"at": row.at + 1}, {"kind": "event"}, {"act": "lift"}, {"channel": "sms"}, {"src": "api"}, {"effect": "superseded"},
        {"shard": (row.shard + 1) % 256},
    ]  # fmt: skip
    rows.stored[row.id] = row._replace(**chance.choice(changes))
    return Bad(place, exactly=True)


def a_checkpoint(rows: Rows, chance: random.Random) -> Bad:
    n = chance.randrange(len(rows.signed))
    row = rows.signed[n]
    note = row.note.encode()
    match chance.randrange(4):
        case 0:
            rows.signed[n] = replace(row, root=flipped(row.root, chance))
        case 1:
            rows.signed[n] = replace(row, size=row.size + 1)
        case 2:
            rows.signed[n] = replace(row, note=row.note.replace(str(row.size), str(row.size + 1), 1))
        case _:
            rows.signed[n] = replace(row, note=flipped(note, chance).decode("latin-1"))
    return Bad()


def an_anchor(rows: Rows, chance: random.Random) -> Bad:
    n = chance.randrange(len(rows.anchors))
    rows.anchors[n] = flipped(rows.anchors[n].encode(), chance).decode("latin-1")
    return Bad()


def a_subject(rows: Rows, chance: random.Random) -> Bad:
    sub = chance.choice(sorted(rows.subjects))
    kept = rows.subjects[sub]
    changes: Mapping[int, Kept] = {
        0: kept._replace(state=kept.state.replace(b",0,", b",1,", 1) if b",0," in kept.state else kept.state.replace(b",1,", b",0,", 1)),
        1: kept._replace(version=kept.version + 1), 2: kept._replace(length=kept.length - 1),
        3: kept._replace(head=flipped(kept.head, chance)), 4: kept._replace(last_at=kept.last_at + 1), 5: kept._replace(state=b""),
    }  # fmt: skip
    choice = chance.randrange(8)
    if choice in changes:
        rows.subjects[sub] = changes[choice]
    elif choice == 6:
        del rows.subjects[sub]
    else:
        rows.subjects[flipped(sub, chance)] = kept
    return Bad()


def the_queue(rows: Rows, chance: random.Random) -> Bad:
    match chance.randrange(3):
        case 0:
            rows.waits.discard(min(rows.waits))
        case 1:
            rows.waits.add(placed(rows, chance)[1].id)
        case _:
            rows.waits.add(UUID(int=chance.getrandbits(128)))
    return Bad()


def a_waiting_leaf_rewritten(rows: Rows, chance: random.Random) -> Bad:
    row = rows.stored[chance.choice(sorted(rows.waits))]
    rows.stored[row.id] = row._replace(leaf=other_leaf(row))
    return Bad()


ALL: tuple[Tampering, ...] = (
    a_bit_of_a_leaf, a_leaf_rewritten, a_leaf_rewritten_with_tiles_and_state, all_signed_anew, signed_by_another_key, an_entry_dropped,
    a_place_dropped, an_entry_dropped_and_all_moved_up, two_places_swapped, two_places_swapped_with_tiles, an_entry_inserted_beside_the_log,
    an_entry_inserted_in_the_log, the_log_cut, the_log_cut_and_made_to_fit, a_bit_of_a_tile, a_tile_cut_dropped_or_added, a_column,
    a_checkpoint, an_anchor, a_subject, the_queue, a_waiting_leaf_rewritten,
)  # fmt: skip
