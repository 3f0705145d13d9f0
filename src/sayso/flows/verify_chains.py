"""Verifying chains: every leaf of some shards against the one before it, its columns and its detail; their folds against the subjects."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from sayso.contracts.ledger import ALL_SHARDS, Audit, Details, Kept, Stored
from sayso.contracts.verified import Verified
from sayso.rules.leaves import commitment
from sayso.rules.replay import ACT_LETTERS, ERASED, Link, follow, replay, state_bytes

COPIED = ("id", "sub", "ver", "at", "kind", "act", "scope", "src", "effect", "shard", "shard")
"""Columns of an entry that repeat its leaf, in the order they are compared; the shard repeats two."""

Opened = Mapping[UUID, tuple[bytes, bytes] | None]


async def verify_chains(
    *,
    audit: Audit,
    size: int,
    details: Details | None = None,
    progress: Callable[[int], None] = lambda _done: None,
    shards: range = ALL_SHARDS,
) -> Verified:
    """What was checked in the chains of these shards, and everything that is wrong there. `size` is the log's.

    Each chain link by link, the columns copied from leaves, the fold against the subject's row byte for byte, and with `details` the
    commitments whose data key still exists. Costs no memory that grows with the ledger.
    """
    found = Verified()
    link: Link | None = None
    sub: bytes | None = None
    async for batch in audit.entries(shards):
        opened = await details.opened(batch) if details else None
        ended: list[Link] = []
        for row in batch:
            if link is None or row.sub != sub:
                ended += [link] if link else []
                sub = row.sub
                link = Link(sub.hex())
            link = _followed(found, link, row, opened) or _check_entry(found, (audit.log, size), link, row, opened)
        found.entries += len(batch)
        await _check_states(found, audit, ended)
        progress(found.entries)
    await _check_states(found, audit, [link] if link else [])
    return found


def _followed(found: Verified, link: Link, row: Stored, opened: Opened | None) -> Link | None:
    """The chain after an entry with which nothing is wrong; None for every other one, and nothing is counted of that."""
    place = None if row.log is None or row.seq is None else (row.log, row.seq)
    followed = follow(link, row.leaf, place, str(row.id), row[4:13])
    if followed is None or row.shard != int(link.sub[:2], 16) or not (place or row.waits):
        return None
    after, bound = followed
    if opened is not None and bound:
        detail = opened.get(row.id, _GONE)
        if detail is None or (detail is not _GONE and commitment(*detail).hex() != bound):
            return None
        found.details += detail is not _GONE
        found.details_gone += detail is _GONE
    found.unsequenced += place is None
    return after


_GONE = (b"", b"")


def _check_entry(found: Verified, log: tuple[int, int], link: Link, row: Stored, opened: Opened | None) -> Link:
    """The chain after any entry; all that is wrong with it is noted. `log` is the log's number and size."""
    number, size = log
    seq = row.seq if row.log == number else None
    place = (row.log, row.seq) if row.log is not None and row.seq is not None else None
    replayed = replay(link, row.leaf, place)
    problems = list(replayed.problems)
    if replayed.fields is not None:
        problems += _mismatches(row, replayed.fields)
        if opened is not None and replayed.fields["d"]:
            problems += _check_detail(found, opened, row.id, replayed.fields["d"])
    if place is None:
        found.unsequenced += 1
        if not row.waits:
            problems.append("it has no place in a log and does not wait for one")
    for what in problems:
        found.note(what, seq, row.id)
    before = link.place[1] if link.place and link.place[0] == number else None
    if replayed.gap:
        _note_gap(found, replayed.gap, (before, seq), row.id)
    elif replayed.breaks:
        upto = size if seq is None else max(seq, before or 0) + 1
        found.note(
            "the leaf before it in its chain is not the one that its prev names", before if before is not None else seq, row.id, upto
        )
    return replayed.link


def _note_gap(found: Verified, what: str, between: tuple[int | None, int | None], entry: UUID) -> None:
    """An entry that does not follow the one before it in its chain: one is missing between the two, or one of them does not belong."""
    before, seq = between
    if seq is None:
        found.note(what, None, entry)
    elif before is None:
        found.note(what, 0, entry, seq + 1)
    else:
        found.note(what, min(before + 1, seq), entry, max(before, seq) + 1)


def _mismatches(row: Stored, fields: Mapping[str, Any]) -> list[str]:
    """Columns that differ from the leaf they were copied from."""
    scope = tuple(fields.get("scope", (None, None, None)))
    # Names of custom events stand in the column only: a leaf has no room for what anybody may write.
    act = row.act if fields["t"] == "event" and fields["act"] == "custom" else fields["act"][:ACT_LETTERS]
    columns = (str(row.id), row.sub.hex(), row.ver, row.at, row.kind, row.act, row[8:11], row.src, row.effect, row.shard, row.shard)
    leaf = (
        fields["id"], fields["sub"], fields["ver"], fields["at"], fields["t"], act, scope, fields["src"], fields["effect"], int.from_bytes(row.sub[:1]),
        row.id.bytes[-1],
    )  # fmt: skip
    if columns == leaf:
        return []
    wrong = {name: None for name, column, field in zip(COPIED, columns, leaf, strict=True) if column != field}
    return [f"its column {name} differs from its leaf" for name in wrong]


def _check_detail(found: Verified, opened: Opened, entry: UUID, bound: str) -> list[str]:
    if entry not in opened:
        found.details_gone += 1
        return []
    found.details += 1
    detail = opened[entry]
    if detail is None:
        return ["its detail is lost, though the key it lies under exists"]
    return [] if commitment(*detail).hex() == bound else ["its detail is not the one its leaf commits to"]


async def _check_states(found: Verified, audit: Audit, links: list[Link]) -> None:
    """The fold of whole chains against the subjects' rows."""
    chains = {bytes.fromhex(link.sub): link for link in links}
    kept = await audit.subjects(chains.keys())
    found.chains += len(chains)
    for sub, link in chains.items():
        row = kept.get(sub)
        if row is None and link.act == ERASED:
            found.erased += 1
        elif row is None:
            found.note(f"subject {link.sub} is gone, though no erasure ended its chain")
        elif wrong := _differences(row, link):
            found.note(f"subject {link.sub} differs from the fold of its entries: {', '.join(wrong)}")


def _differences(row: Kept, link: Link) -> list[str]:
    state = link.state
    folded = Kept(state.version, state.length, link.head, state.last_at, state_bytes(state))
    kept = row._replace(state=b"") if row.state == b"{}" else row
    if kept == folded:
        return []
    order = ("state", "version", "length", "head", "last_at")
    return [name for name in order if getattr(kept, name) != getattr(folded, name)]
