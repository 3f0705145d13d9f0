"""Migrations: each once, in order, whoever starts first; a database that does not fit is refused untouched."""

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import pytest

from sayso.store.migrate import (
    REWORDED,
    BadMigrations,
    Migration,
    SchemaChanged,
    SchemaTooNew,
    SchemaTooOld,
    load,
    migrate,
    missing,
    require_current,
)


def step(number: int, sql: str) -> Migration:
    """One made-up migration."""
    return Migration(number, f"step_{number}", hashlib.sha256(sql.encode()).digest(), sql)


ONE = step(1, "CREATE TABLE one (n int); INSERT INTO one VALUES (1);")
TWO = step(2, "ALTER TABLE one ADD COLUMN m int DEFAULT 2;")
BROKEN = step(2, "CREATE TABLE half (n int); SELECT 1/0;")


async def run(dsn: str, steps: Sequence[Migration]) -> list[int]:
    """The numbers applied by one process."""
    connection = await asyncpg.connect(dsn)
    try:
        return [done.number for done in await migrate(connection, steps)]
    finally:
        await connection.close()


async def value(dsn: str, question: str) -> object:
    """One value of the database."""
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def test_each_step_is_applied_once_and_in_order(bare_database: str) -> None:
    assert await run(bare_database, [ONE]) == [1]
    assert await run(bare_database, [ONE, TWO]) == [2]
    assert await run(bare_database, [ONE, TWO]) == []
    assert await value(bare_database, "SELECT m FROM one") == 2


async def test_many_processes_at_once_apply_each_step_once(bare_database: str) -> None:
    done = await asyncio.gather(*(run(bare_database, [ONE, TWO]) for _ in range(8)))
    assert sorted(number for numbers in done for number in numbers) == [1, 2]
    assert await value(bare_database, "SELECT count(*) FROM one") == 1


async def test_a_step_that_fails_leaves_nothing_of_itself(bare_database: str) -> None:
    with pytest.raises(asyncpg.DivisionByZeroError):
        await run(bare_database, [ONE, BROKEN])
    assert await value(bare_database, "SELECT to_regclass('half')") is None
    assert await run(bare_database, [ONE, TWO]) == [2]


async def test_an_edited_step_is_refused(bare_database: str) -> None:
    await run(bare_database, [ONE])
    edited = Migration(1, ONE.name, hashlib.sha256(b"edited").digest(), ONE.sql)
    with pytest.raises(SchemaChanged, match="0001_step_1"):
        await run(bare_database, [edited, TWO])
    assert await value(bare_database, "SELECT max(number) FROM schema_migration") == 1


RELEASED = (
    "d1fbd102914d66be", "7d51be8f4622dadc", "7a94f9fbe8da64fb", "aa07f51ab9ef5424", "b7d3b207ead0dbe4", "160246298ce6aab2",
    "0be53489e7ae96a8", "4dccfa23b2620908",
)  # fmt: skip
"""How the hashes of released migrations begin. Append to these; a comment that is made nicer locks every database out."""


def test_released_migrations_are_never_edited() -> None:
    assert tuple(one.sha256.hex()[:16] for one in load()[: len(RELEASED)]) == RELEASED


def test_a_database_that_holds_the_other_wording_of_0008_is_taken() -> None:
    steps = load()
    had = [(one.number, one.name, REWORDED.get(one.number, one.sha256)) for one in steps[:8]]
    assert missing(steps, had) == steps[8:]


async def test_a_database_of_a_newer_version_is_refused(bare_database: str) -> None:
    await run(bare_database, [ONE, TWO])
    for steps in ([ONE], []):
        with pytest.raises(SchemaTooNew, match="newer version"):
            await run(bare_database, steps)


async def test_a_hole_in_what_was_applied_is_refused() -> None:
    with pytest.raises(SchemaChanged):
        missing([ONE, TWO], [(2, TWO.name, TWO.sha256)])


async def test_a_process_that_must_not_migrate_only_looks(bare_database: str) -> None:
    connection = await asyncpg.connect(bare_database)
    try:
        with pytest.raises(SchemaTooOld, match="0001_step_1"):
            await require_current(connection, [ONE])
        assert await connection.fetchval("SELECT to_regclass('schema_migration')") is None
        await migrate(connection, [ONE])
        await require_current(connection, [ONE])
        with pytest.raises(SchemaTooOld, match="0002_step_2"):
            await require_current(connection, [ONE, TWO])
        with pytest.raises(SchemaTooNew):
            await require_current(connection, [])
    finally:
        await connection.close()


async def test_the_real_migrations_make_an_empty_database_current(bare_database: str) -> None:
    real = load()
    assert real and await run(bare_database, real) == [migration.number for migration in real]
    connection = await asyncpg.connect(bare_database)
    try:
        await require_current(connection)
    finally:
        await connection.close()


@pytest.mark.parametrize("names", [["0002_a.sql"], ["0001_a.sql", "0001_b.sql"], ["0001_a.sql", "0003_c.sql"], ["1_a.sql"], ["0001-A.sql"]])
def test_files_that_are_not_numbered_one_by_one_are_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(BadMigrations):
        load(tmp_path)
