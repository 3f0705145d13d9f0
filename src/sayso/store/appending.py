"""Keeping the rows of one transaction: few in one statement, many by COPY, which makes each row cheaper and takes five round trips."""

from collections.abc import Sequence
from typing import Any, Final

from sayso.store.pool import Connection
from sayso.store.queries import QUERIES

MANY: Final = 64
"""Entries from which on the round trips of COPY are paid for by what its rows save."""
Rows = Sequence[tuple[Any, ...]]
_ENTRY: Final = ("shard", "id", "sub", "ver", "at", "kind", "act", "brand", "channel", "category", "src", "effect", "leaf")
_SUBJECT: Final = ("shard", "id", "version", "length", "head", "last_at", "state", "kind", "pseudonym", "sealed")


async def append(connection: Connection, now: int, entries: Rows, saved: Rows, tasks: Rows, made: Rows) -> None:
    """Keeps leaves with their sealed details and places in the queue, changed states, work, and new subjects in (shard, id) order.

    The rows are those of the query `append`. A subject that another transaction made first raises UniqueViolationError.
    """
    if len(entries) >= MANY:
        await _copy(connection, entries, made)
        entries, made = (), ()
        if not saved and not tasks:
            return
    await connection.execute(QUERIES["append"], now, entries, saved, tasks, made)


async def name_again(connection: Connection, named: Rows) -> None:
    """Gives subjects that were erased a data key again, and a name."""
    await connection.execute(QUERIES["name_again"], *_columns(named, 5))


async def _copy(connection: Connection, entries: Rows, made: Rows) -> None:
    copy = connection.copy_records_to_table
    if made:  # first, because somebody else may have made one of them
        await copy("subject", records=[one[:10] for one in made], columns=_SUBJECT)
        await copy("subject_key", records=[(one[0], one[8], one[10]) for one in made], columns=("shard", "pseudonym", "wrapped"))
    await copy("entry", records=[one[:13] for one in entries], columns=_ENTRY)
    await copy("detail", records=[(one[0], one[1], one[13]) for one in entries], columns=("shard", "entry", "sealed"))
    await copy("to_sequence", records=[(one[0], one[4], one[1]) for one in entries], columns=("shard", "at", "id"))


def _columns(rows: Rows, width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]
