"""Bring a database to this version's schema: numbered, forward-only SQL files, each applied once in its own transaction.

Any number of processes may do it at once: each step holds an advisory lock and looks again. Why not a library:
docs/adr/0003-migration-runner.md.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from sayso.store.queries import QUERIES

FOLDER = Path(__file__).parent / "migrations"
REWORDED: Final = {8: bytes.fromhex("f2a96ec4eb942491f9e24de2a8d48b149a96f03396cb341b6b57b9ada69e8e86")}
"""What databases may hold instead of a file's hash: for a few commits 0008 had another word in its comment, and the same statements."""
_FILE_NAME = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")


class MigrationError(Exception):
    """The database's schema and this version of Sayso do not fit; nothing was changed."""


class BadMigrations(MigrationError):
    """The migration files are not numbered 0001, 0002, … without gap or repetition; a bug of this version."""


class SchemaChanged(MigrationError):
    """A migration the database has had is not the one this version holds under its number."""


class SchemaTooNew(MigrationError):
    """The database was migrated by a newer version of Sayso."""


class SchemaTooOld(MigrationError):
    """The database lacks migrations this version needs."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step; `sha256` is over the file's bytes."""

    number: int
    name: str
    sha256: bytes
    sql: str


def load(folder: Path = FOLDER) -> tuple[Migration, ...]:
    """The migrations of a folder in their order. Raises BadMigrations."""
    found = []
    for number, file in enumerate(sorted(folder.glob("*.sql")), start=1):
        match = _FILE_NAME.match(file.name)
        if match is None or int(match.group(1)) != number:
            raise BadMigrations(f"{file.name} should be {number:04d}_some_name.sql: numbers have no gaps and are used once")
        content = file.read_bytes()
        found.append(Migration(number, match.group(2), hashlib.sha256(content).digest(), content.decode()))
    return tuple(found)


def missing(known: Sequence[Migration], applied: Sequence[tuple[int, str, bytes]]) -> tuple[Migration, ...]:
    """The migrations still to apply, given those `(number, name, sha256)` the database has had.

    Raises SchemaTooNew or SchemaChanged.
    """
    last = known[-1].number if known else 0
    for place, (number, name, sha256) in enumerate(applied, start=1):
        if number > last:
            raise SchemaTooNew(
                f"The database has had migration {number:04d}_{name}, this version of Sayso ends at {last:04d}: "
                "start the newer version again, or restore a backup made by this one."
            )
        if number != place or sha256 not in (known[number - 1].sha256, REWORDED.get(number)):
            raise SchemaChanged(
                f"The database has had migration {number:04d}_{name}, but not as this version of Sayso holds it: "
                "install the version that wrote it; released migrations are never edited."
            )
    return tuple(known[len(applied) :])


async def migrate(connection: asyncpg.Connection, known: Sequence[Migration] | None = None) -> tuple[Migration, ...]:
    """The migrations applied by this call, in their order; none when the schema is current.

    Raises MigrationError, or the database's own error for a step that fails: that step is rolled back, those before it stay.
    """
    steps = load() if known is None else known
    done: list[Migration] = []
    while True:
        async with connection.transaction():
            await connection.execute(QUERIES["lock_schema"])
            await connection.execute(QUERIES["create_schema_migration"])
            left = missing(steps, await _applied(connection))
            if not left:
                return tuple(done)
            await connection.execute(left[0].sql)
            await connection.execute(QUERIES["remember_migration"], left[0].number, left[0].name, left[0].sha256)
        done.append(left[0])


async def require_current(
    connection: "asyncpg.Connection | PoolConnectionProxy[asyncpg.Record]", known: Sequence[Migration] | None = None
) -> None:
    """Raise MigrationError unless the schema is exactly this version's. Changes nothing: for processes that must not migrate."""
    steps = load() if known is None else known
    applied = await _applied(connection) if await connection.fetchval(QUERIES["has_schema_migration"]) else []
    if left := missing(steps, applied):
        raise SchemaTooOld(f"The database lacks migration {left[0].number:04d}_{left[0].name}: start `sayso serve` once, it migrates.")


async def _applied(connection: "asyncpg.Connection | PoolConnectionProxy[asyncpg.Record]") -> list[tuple[int, str, bytes]]:
    """What the database has had."""
    return [(row["number"], row["name"], row["sha256"]) for row in await connection.fetch(QUERIES["applied_migrations"])]
