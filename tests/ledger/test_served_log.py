"""The log over HTTP, checked by a reader that nobody here wrote."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from ledger_writer import Ledger, opened_ledger
from tlog_scales.backend import HttpBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey

from sayso.rules.merkle import leaf_hash
from sayso.rules.notes import key_text
from sayso.rules.proofs import parse_proof, verify_proof
from sayso.rules.tilepaths import path_text, paths_at, unbundle
from sayso.web.ledger import ledger_router

pytestmark = pytest.mark.feature("S9")


@dataclass(slots=True)
class Served:
    ledger: Ledger
    base: str
    session: aiohttp.ClientSession

    async def get(self, path: str) -> tuple[int, bytes, str]:
        async with self.session.get(f"{self.base}/{path}") as answer:
            return answer.status, await answer.read(), answer.headers.get("Cache-Control", "")


@pytest.fixture
async def served(module_database: str, tmp_path: Path) -> AsyncIterator[Served]:
    """A log of 520 entries on a real server on loopback."""
    async with opened_ledger(module_database, tmp_path) as ledger:
        app = FastAPI()
        app.include_router(ledger_router(ledger.log))
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
        running = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            async with aiohttp.ClientSession() as session:
                yield Served(ledger, f"http://127.0.0.1:{listening.getsockname()[1]}", session)
        finally:
            server.should_exit = True
            await running
            listening.close()


def read_by_others(base: str, vkey: str, leaves: list[bytes]) -> None:
    """Checkpoint, every entry, every proof and all consistency as tlog-scales reads them. Blocks: call it in a thread."""
    backend = HttpBackend(f"{base}/ledger")
    try:
        reader = TilesReader(backend)
        checkpoint = reader.get_checkpoint()
        checkpoint.verify(Vkey.from_string(vkey))
        assert checkpoint.size == len(leaves)
        assert reader.calculate_root_hash() == checkpoint.root_hash
        for index, leaf in enumerate(leaves):
            assert reader.get_entry(index) == leaf
            reader.get_inclusion_proof(index, checkpoint.size).check(leaf_hash(leaf), checkpoint.root_hash)
        for size in (1, 255, 256, 257, 400, checkpoint.size):
            reader.get_consistency_proof(size, checkpoint.size).check(reader.mth(0, size), checkpoint.root_hash)
    finally:
        backend.session.close()


async def test_an_independent_reader_verifies_the_whole_served_log(served: Served) -> None:
    for count in (1, 254, 2, 143, 120):
        await served.ledger.write(count)
        await served.ledger.sequence()
    leaves = list(await served.ledger.log.leaves(0, 1_000))
    assert len(leaves) == 520
    await asyncio.to_thread(read_by_others, served.base, key_text(served.ledger.key), leaves)


async def test_every_file_that_exists_is_served_and_no_other(served: Served) -> None:
    assert (await served.get("ledger/checkpoint"))[0] == 404
    assert (await served.get("ledger/tile/0/000.p/1"))[0] == 404
    await served.ledger.write(260)
    await served.ledger.sequence()
    status, note, cached = await served.get("ledger/checkpoint")
    assert (status, cached) == (200, "no-store")
    signed = await served.ledger.log.newest()
    assert signed is not None
    assert note.decode() == signed.note
    for path in paths_at(260):
        status, body, cached = await served.get(f"ledger/{path_text(path)}")
        assert status == 200
        assert "immutable" in cached
        assert (len(unbundle(body)) if path.level is None else len(body) // 32) == path.width
    older = (await served.get("ledger/tile/0/001.p/2"))[1]
    assert (await served.get("ledger/tile/0/001.p/4"))[1].startswith(older)
    for missing in (
        "0/001",
        "0/001.p/5",
        "0/002.p/1",
        "1/000",
        "1/000.p/2",
        "2/000.p/1",
        "entries/001.p/5",
        "0/1",
        "64/000",
        "x",
        "",
        "0/000.p/0",
    ):
        assert (await served.get(f"ledger/tile/{missing}"))[0] == 404, missing


async def test_entries_after_the_signature_are_not_served_yet(served: Served) -> None:
    await served.ledger.write(5)
    await served.ledger.sequence()
    waiting = await served.ledger.write(3)
    assert (await served.get("ledger/tile/entries/000.p/6"))[0] == 404
    assert (await served.get(f"api/v2/entries/{waiting[0]}/proof"))[0] == 404


async def test_a_proof_stands_alone(served: Served) -> None:
    entries = await served.ledger.write(300)
    await served.ledger.sequence()
    for place in (0, 17, 255, 256, 299):
        status, text, cached = await served.get(f"api/v2/entries/{entries[place]}/proof")
        assert (status, cached) == (200, "no-store")
        bundle = unbundle((await served.get(f"ledger/tile/entries/{'000' if place < 256 else '001.p/44'}"))[1])
        assert parse_proof(text).index == place
        assert verify_proof(text, bundle[place % 256], served.ledger.key).size == 300
    for unknown in (uuid4(), "x", "019aa7b2"):
        assert (await served.get(f"api/v2/entries/{unknown}/proof"))[0] == 404


async def test_a_damaged_log_says_so_instead_of_serving(served: Served) -> None:
    entries = await served.ledger.write(10)
    await served.ledger.sequence()
    await served.ledger.pool.execute("UPDATE log_tile SET hashes = substring(hashes from 1 for 64)")
    await served.ledger.pool.execute("DELETE FROM entry WHERE id = $1", entries[4])
    assert (await served.get("ledger/tile/0/000.p/10"))[0] == 503
    assert (await served.get("ledger/tile/0/000.p/2"))[0] == 200
    assert (await served.get("ledger/tile/entries/000.p/10"))[0] == 503
    assert (await served.get("ledger/tile/entries/000.p/4"))[0] == 200
    assert (await served.get(f"api/v2/entries/{entries[0]}/proof"))[0] == 503


async def test_a_proof_asks_for_what_its_guards_ask_for(module_database: str, tmp_path: Path) -> None:
    def refuse() -> None:
        raise HTTPException(403)

    async with opened_ledger(module_database, tmp_path) as ledger:
        router = ledger_router(ledger.log, guards=[Depends(refuse)])
        guarded = [route.path for route in router.routes if route.dependencies]  # type: ignore[attr-defined] # all are APIRoute
        assert guarded == ["/api/v2/entries/{entry_id}/proof"]
