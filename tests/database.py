"""Real PostgreSQL for tests: one embedded server for the session, a fresh migrated database for each test that asks."""

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest

from sayso.store import embedded, migrate

T = TypeVar("T")

TEMPLATE = "sayso_template"
PREFIX = "sayso-test-"
COUNTER = itertools.count(1)
IMPATIENT = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET idle_in_transaction_session_timeout = 200', current_database()); END $$"
"""From the next connection on, this database ends transactions that stand idle for a fifth of a second."""


def apart(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine run in a loop of its own, whatever loop the caller is in."""
    with ThreadPoolExecutor(max_workers=1) as threads:
        return threads.submit(asyncio.run, work).result()


def reachable_folder() -> Path:
    """A new folder that the server's user can enter: as root pytest's own tmp_path is closed to it. The caller removes it."""
    place = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir="/tmp"))
    place.chmod(0o711)
    return place


def remove_server(place: Path) -> None:
    """Stop the server of a test's data folder, if it runs, and remove the folder."""
    try:
        apart(embedded.stop(place))
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _sweep() -> None:
    """Stop the servers of test runs that were killed before they could."""
    for place in Path("/tmp").glob(f"{PREFIX}*"):
        pid = place.name.removeprefix(PREFIX).split("-")[0]
        if place.stat().st_uid == os.geteuid() and pid.isdigit() and not Path(f"/proc/{pid}").exists():
            remove_server(place)


async def execute(dsn: str, *statements: str) -> None:
    """Runs statements outside any transaction."""
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _make_template(server: embedded.Server) -> None:
    await execute(server.dsn, f"CREATE DATABASE {TEMPLATE}")
    connection = await asyncpg.connect(server.dsn_of(TEMPLATE))
    try:
        await migrate.migrate(connection)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def pg_server() -> Iterator[embedded.Server]:
    """The session's embedded server (one for each xdist worker); always stopped at the end.

    It does not wait for the disk: a killed server loses nothing by that, only a killed machine would. The tests of crash
    safety start servers of their own.
    """
    _sweep()
    place = reachable_folder()
    try:
        (place / "postgres").mkdir(mode=0o711)
        (place / "postgres" / "local.conf").write_text("fsync = off\nfull_page_writes = off\nautovacuum = off\nmax_wal_size = '256MB'\n")
        (place / "postgres" / "local.conf").chmod(0o644)
        yield apart(embedded.start(place))
    finally:
        remove_server(place)


@pytest.fixture(scope="session")
def empty_template(pg_server: embedded.Server) -> embedded.Server:
    """The server, holding a migrated database that fresh ones are copied from."""
    apart(_make_template(pg_server))
    return pg_server


def _fresh(server: embedded.Server, template: str) -> Iterator[str]:
    name = f"test_{next(COUNTER)}"
    apart(execute(server.dsn, f"CREATE DATABASE {name} TEMPLATE {template}"))
    try:
        yield server.dsn_of(name)
    finally:
        apart(execute(server.dsn, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def database(empty_template: embedded.Server) -> Iterator[str]:
    """The DSN of a fresh database with the current schema, for one test."""
    yield from _fresh(empty_template, TEMPLATE)


@pytest.fixture(scope="module")
def module_database(empty_template: embedded.Server) -> Iterator[str]:
    """The DSN of a fresh database with the current schema, shared by the tests of one module."""
    yield from _fresh(empty_template, TEMPLATE)


@pytest.fixture
def bare_database(pg_server: embedded.Server) -> Iterator[str]:
    """The DSN of a fresh database without any schema, for one test."""
    yield from _fresh(pg_server, "template0")
