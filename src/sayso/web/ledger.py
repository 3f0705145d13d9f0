"""The ledger's doors: the log as C2SP tlog-tiles for everybody's checkers, and the proof of one entry."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, HTTPException, Response
from fastapi.params import Depends

from sayso.contracts.ledger import LedgerDamaged, LogReader, NotInLedger
from sayso.flows.prove import prove
from sayso.rules.merkle import HASH_BYTES
from sayso.rules.tilepaths import PathRefused, TilePath, bundle, parse_path
from sayso.rules.tiles import WIDTH, width_at
from sayso.web.describe import problem

_FOR_EVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
_NEVER: Final = {"Cache-Control": "no-store"}
_BINARY: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "Hashes, or entries each behind its length."},
    **problem("not_found", "unavailable"),
}
_TEXT: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/plain": {}}, "description": "Signed text."},
    **problem("not_found", "unavailable"),
}


def ledger_router(log: LogReader, *, guards: Sequence[Depends] = ()) -> APIRouter:
    """The routes of one log; `guards` are the dependencies that a proof asks for (tiles and checkpoints carry no personal data).

    Every refusal is an HTTPException: 404 for what no signed checkpoint covers, 503 when the log contradicts itself.
    """
    router = APIRouter(tags=["ledger"])

    @router.get("/ledger/checkpoint", response_class=Response, responses=_TEXT, operation_id="ledger_checkpoint")
    async def checkpoint() -> Response:
        """The newest signed checkpoint: origin, size, root (C2SP tlog-checkpoint)."""
        signed = await log.newest()
        if signed is None:
            raise HTTPException(404, "nothing was signed yet")
        return Response(signed.note, media_type="text/plain; charset=utf-8", headers=_NEVER)

    @router.get("/ledger/tile/{path:path}", response_class=Response, responses=_BINARY, operation_id="ledger_tile")
    async def tile(path: str) -> Response:
        """A tile of hashes `<L>/<N>[.p/<W>]` or a bundle of entries `entries/<N>[.p/<W>]` of the signed log (C2SP tlog-tiles)."""
        try:
            asked = parse_path(f"tile/{path}")
        except PathRefused as error:
            raise HTTPException(404, str(error)) from error
        signed = await log.newest()
        if signed is None or width_at(asked.level or 0, asked.n, signed.size) < asked.width:
            raise HTTPException(404, "the signed log does not have this tile")
        return Response(await _content(log, asked), media_type="application/octet-stream", headers=_FOR_EVER)

    @router.get(
        "/api/v2/entries/{entry_id}/proof", response_class=Response, responses=_TEXT, dependencies=guards, operation_id="entry_proof"
    )
    async def proof(entry_id: str) -> Response:
        """The offline proof that an entry is in the signed log (`.tlog-proof`); 404 until a checkpoint covers it."""
        try:
            text = await prove(UUID(entry_id), log=log)
        except (ValueError, NotInLedger) as error:
            raise HTTPException(404, "no signed checkpoint covers an entry of this id") from error
        except LedgerDamaged as error:
            raise HTTPException(503, "the ledger cannot prove this entry: run `sayso verify`") from error
        named = {"Content-Disposition": f'inline; filename="{UUID(entry_id)}.tlog-proof"'}
        return Response(text, media_type="text/plain; charset=utf-8", headers=_NEVER | named)

    return router


async def _content(log: LogReader, asked: TilePath) -> bytes:
    """The bytes of a tile or bundle that the signed log has."""
    if asked.level is None:
        leaves = await log.leaves(asked.n * WIDTH, asked.width)
        if len(leaves) < asked.width:
            raise HTTPException(503, "entries of this bundle are lost: run `sayso verify`")
        return bundle(leaves)
    rows = await log.tiles([(asked.level, asked.n)])
    row = rows.get((asked.level, asked.n), b"")
    if len(row) < asked.width * HASH_BYTES:
        raise HTTPException(503, "hashes of this tile are lost: run `sayso verify`")
    return row[: asked.width * HASH_BYTES]
