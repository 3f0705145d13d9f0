"""sayso-verify.py, as an auditor runs it: a process of its own, on a log that is served and on files; it refuses what was tampered with."""

import asyncio
import json
import random
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from ledger_writer import MALLORYS, ORIGIN, PRIVATE, Ledger, opened_ledger

from running import served
from sayso.flows.prove import prove
from sayso.rules.merkle import leaf_hash, root_of
from sayso.rules.notes import Checkpoint, checkpoint_text, key_of, key_text, sign
from sayso.rules.tilepaths import bundle, path_text, paths_at, unbundle
from sayso.web.ledger import ledger_router

pytestmark = pytest.mark.feature("S9", "Q3")

PROGRAM = Path(__file__).parents[2] / "sayso-verify.py"
SIZE = 600


async def audited(ledger: Ledger, *arguments: object, key: str = "") -> tuple[int, Any]:
    """Exit code and result of one run."""
    command = [sys.executable, "-I", str(PROGRAM), "--key", key or key_text(ledger.key), "--json", *map(str, arguments)]
    running = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, err = await running.communicate()
    assert not err, err.decode()
    assert running.returncode is not None
    return running.returncode, json.loads(out)


@pytest.fixture
async def ledger(module_database: str, tmp_path: Path) -> AsyncIterator[Ledger]:
    async with opened_ledger(module_database, tmp_path) as opened:
        yield opened


async def written(ledger: Ledger, count: int = SIZE) -> None:
    await ledger.write(count)
    await ledger.sequence()


async def saved(ledger: Ledger, folder: Path) -> Path:
    """The files that the hub serves, in a folder."""
    signed = await ledger.log.newest()
    assert signed is not None
    (folder / "tile").mkdir(parents=True)
    (folder / "checkpoint").write_text(signed.note)
    for path in paths_at(signed.size):
        file = folder / path_text(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        if path.level is None:
            file.write_bytes(bundle(await ledger.log.leaves(path.n * 256, path.width)))
        else:
            file.write_bytes((await ledger.log.tiles([(path.level, path.n)]))[path.level, path.n][: path.width * 32])
    return folder


def test_it_is_short_enough_to_read_and_takes_nothing_of_ours() -> None:
    text = PROGRAM.read_text(encoding="utf-8")
    assert text.count("\n") <= 250
    imported = {line.split()[1].split(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert imported - set(sys.stdlib_module_names) == {"cryptography"}


async def test_a_served_log_is_verified_and_a_tampered_one_refused(ledger: Ledger, tmp_path: Path) -> None:
    await ledger.write(250)
    await ledger.sequence()
    first = await ledger.anchor.last()
    assert first is not None
    (tmp_path / "kept").write_text(first)
    await written(ledger, SIZE - 250)
    app = FastAPI()
    app.include_router(ledger_router(ledger.log))
    async with served(app) as base:
        code, found = await audited(ledger, "log", f"{base}/ledger", "--known", tmp_path / "kept")
        assert (code, found["ok"], found["size"], found["subjects"], found["known"]) == (0, True, SIZE, 7, 1)
        entry = ledger.written[300]
        await ledger.pool.execute("UPDATE entry SET leaf = set_byte(leaf, 40, 65) WHERE id = $1", entry)
        assert await audited(ledger, "log", f"{base}/ledger") == (
            1, {"ok": False, "what": "entry 300 is not the one whose hash is in its tile"},
        )  # fmt: skip
        code, found = await audited(ledger, "log", f"{base}/nowhere")
        assert (code, "checkpoint cannot be read" in found["what"]) == (1, True)


async def test_one_proof_is_verified_and_refused_for_any_other_entry_key_or_bit(ledger: Ledger, tmp_path: Path) -> None:
    await written(ledger, 70)
    for place in (0, 33, 69):
        (tmp_path / "entry").write_bytes((await ledger.log.leaves(place, 1))[0])
        (tmp_path / "proof").write_bytes(await prove(ledger.written[place], log=ledger.log))
        code, found = await audited(ledger, "proof", tmp_path / "proof", "--entry", tmp_path / "entry")
        assert (code, found["index"], found["size"]) == (0, place, 70)
    (tmp_path / "other").write_bytes((await ledger.log.leaves(5, 1))[0])
    assert (await audited(ledger, "proof", tmp_path / "proof", "--entry", tmp_path / "other"))[0] == 1
    mallorys = key_text(key_of(ORIGIN, MALLORYS))
    code, found = await audited(ledger, "proof", tmp_path / "proof", "--entry", tmp_path / "entry", key=mallorys)
    assert (code, found["what"]) == (1, f"{ORIGIN} did not sign this checkpoint")
    chance = random.Random(4)
    whole = (tmp_path / "proof").read_bytes()
    for _ in range(12):
        place = chance.randrange(len(whole))
        (tmp_path / "proof").write_bytes(whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(7)]) + whole[place + 1 :])
        assert (await audited(ledger, "proof", tmp_path / "proof", "--entry", tmp_path / "entry"))[0] == 1, place


def flipped(path: str, place: int) -> Callable[[Path], None]:
    def tamper(folder: Path) -> None:
        data = bytearray((folder / path).read_bytes())
        data[place] ^= 1
        (folder / path).write_bytes(bytes(data))

    return tamper


def longer(folder: Path) -> None:
    with (folder / "tile/0/002.p/88").open("ab") as file:
        file.write(bytes(32))


def signed_shorter(folder: Path) -> None:
    """The log cut by somebody who holds the key: only a kept checkpoint knows better."""
    leaves = bundle_of(folder, "tile/entries/000")
    note = sign(checkpoint_text(Checkpoint(ORIGIN, 256, root_of(map(leaf_hash, leaves)))), ORIGIN, PRIVATE)
    (folder / "checkpoint").write_text(note)
    (folder / "tile/1/000.p").rename(folder / "tile/1/old")
    (folder / "tile/1/000.p").mkdir()
    (folder / "tile/1/000.p/1").write_bytes((folder / "tile/1/old/2").read_bytes()[:32])


def bundle_of(folder: Path, path: str) -> list[bytes]:
    return unbundle((folder / path).read_bytes())


def rewritten_whole(folder: Path) -> None:
    """Two entries of one chain exchanged, and everything hashed and signed anew: only the chain knows better."""
    leaves = [leaf for path in ("tile/entries/000", "tile/entries/001", "tile/entries/002.p/88") for leaf in bundle_of(folder, path)]
    leaves[3], leaves[10] = leaves[10], leaves[3]
    hashes = [leaf_hash(leaf) for leaf in leaves]
    for n, path in enumerate(("000", "001", "002.p/88")):
        (folder / f"tile/entries/{path}").write_bytes(bundle(leaves[n * 256 : n * 256 + 256]))
        (folder / f"tile/0/{path}").write_bytes(b"".join(hashes[n * 256 : n * 256 + 256]))
    (folder / "tile/1/000.p/2").write_bytes(root_of(hashes[:256]) + root_of(hashes[256:512]))
    (folder / "checkpoint").write_text(sign(checkpoint_text(Checkpoint(ORIGIN, SIZE, root_of(hashes))), ORIGIN, PRIVATE))


TAMPERED: dict[str, tuple[Callable[[Path], None], str]] = {
    "bit of an entry": (flipped("tile/entries/001", 5_000), "is not the one whose hash"),
    "length of an entry": (flipped("tile/entries/001", 1), ""),
    "bit of a tile": (flipped("tile/0/000", 77), "entry 2 is not the one"),
    "bit of an upper tile": (flipped("tile/1/000.p/2", 40), "does not hold the roots"),
    "bit of the checkpoint": (flipped("checkpoint", 22), ""),
    "bit of the signature": (flipped("checkpoint", 140), ""),
    "tile missing": (lambda folder: (folder / "tile/0/001").unlink(), ""),
    "tile longer": (longer, "more than its 88"),
    "log cut and signed": (signed_shorter, "it was cut or rolled back"),
    "chain rewritten and signed": (rewritten_whole, "of its chain, after place"),
}  # fmt: skip


async def test_files_are_verified_and_every_tampering_refused(ledger: Ledger, tmp_path: Path) -> None:
    await written(ledger)
    whole = await saved(ledger, tmp_path / "whole")
    shutil.copy(whole / "checkpoint", tmp_path / "known")
    assert (await audited(ledger, "log", whole, "--known", tmp_path / "known"))[0] == 0
    for name, (tamper, what) in TAMPERED.items():
        other = tmp_path / name.replace(" ", "-")
        shutil.copytree(whole, other)
        tamper(other)
        code, found = await audited(ledger, "log", other, "--known", tmp_path / "known")
        assert (code, found["ok"]) == (1, False), name
        assert what in found["what"], name
    cut = tmp_path / "log-cut-and-signed"
    assert (await audited(ledger, "log", cut))[0] == 0  # the broken twin: who keeps no checkpoint cannot see what was cut off


async def test_what_is_no_key_is_refused(ledger: Ledger) -> None:
    for key in ("x", f"{ORIGIN}+00000000+AAAA", key_text(ledger.key).replace("+", "+f", 1)):
        assert (await audited(ledger, "log", "nowhere", key=key))[0] == 1
