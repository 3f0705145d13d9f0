"""A URL may name several servers: the one that takes writes is found, whichever it is and however the others behave."""

import asyncio
import socket
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from sayso.settings import BadConfiguration, read
from sayso.store.pool import UNREACHABLE, open_pool
from sayso.store.reach import reach, servers


def test_every_way_to_name_several_servers() -> None:
    one = "postgresql://ada:p%40ss@db/sayso?sslmode=require"
    assert servers(one) == [one]
    assert servers("postgresql://ada:p@a:5432,b:5433/sayso") == ["postgresql://ada:p@a:5432/sayso", "postgresql://ada:p@b:5433/sayso"]
    assert servers("postgresql://ada:p@/sayso?host=/run/a,/run/b&port=5432") == [
        "postgresql://ada:p@/sayso?host=%2Frun%2Fa&port=5432", "postgresql://ada:p@/sayso?host=%2Frun%2Fb&port=5432"
    ]  # fmt: skip
    assert servers("postgresql:///sayso?host=a,b&port=1,2") == ["postgresql:///sayso?host=a&port=1", "postgresql:///sayso?host=b&port=2"]
    with pytest.raises(ValueError, match="2 hosts of a database URL need one port, or 2"):
        servers("postgresql:///sayso?host=a,b&port=1,2,3")


def test_settings_take_several_servers_and_tell_what_is_wrong_with_them() -> None:
    url = "postgresql://ada:secret@a:5432,b:5433/sayso?target_session_attrs=read-write"
    assert read({"SAYSO_DATABASE_URL": url}).database_url == url
    with pytest.raises(BadConfiguration, match="one port for all or one for each") as refused:
        read({"SAYSO_DATABASE_URL": "postgresql://ada:secret@/sayso?host=a,b&port=1,2,3"})
    assert "secret" not in str(refused.value)


async def test_a_server_that_never_answers_delays_nobody(database: str) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        here = parse_qs(urlsplit(database).query)["host"][0]
        port = silent.getsockname()[1]
        head = database.rpartition("?")[0]
        both = f"{head}?host=127.0.0.1,{here}&port={port},5432"
        connection = await reach(both, timeout=30)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()
        pool = await open_pool(both)
        async with pool.acquire(timeout=20) as one:
            assert await one.fetchval("SELECT 2") == 2
        await pool.close()


async def test_only_a_server_that_takes_writes_will_do(database: str) -> None:
    connection = await asyncpg.connect(database)
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await connection.close()
    twice = database.replace("host=", "host=/nowhere,", 1)
    with pytest.raises(UNREACHABLE):
        await reach(twice, timeout=20)
    with pytest.raises((TimeoutError, *UNREACHABLE)):
        async with asyncio.timeout(20):
            await reach("postgresql:///none?host=127.0.0.1,127.0.0.1&port=1")
