"""The proof of one entry: fetched, then checked here the way anybody can check it offline."""

import json
from dataclasses import dataclass
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from sayso.contracts.ledger import LedgerDamaged, NotInLedger
from sayso.flows.prove import prove
from sayso.rules import leaves
from sayso.rules.merkle import ProofRefused, leaf_hash
from sayso.rules.notes import NoteMalformed, NoteRefused, key_text
from sayso.rules.proofs import ProofMalformed, parse_proof, verify_proof
from sayso.web.console.pages import page
from sayso.web.console.parts import Console


@dataclass(frozen=True, slots=True)
class Verified:
    """What the check of a proof found: the leaf, its place, and the signed tree it is in."""

    leaf: str
    leaf_hash: str
    index: int
    steps: int
    size: int
    root: str
    origin: str
    text: str


async def show(request: Request) -> Response:
    """GET /proof/{entry}: whether the entry is provably in the signed log."""
    console: Console = request.app.state.console
    values = {"entry": request.path_params["entry"][:64], "key": key_text(console.log_key), "q": request.query_params.get("q", "")[:500]}
    try:
        found = await verified(UUID(request.path_params["entry"]), console)
    except NotInLedger:
        return page(request, "proof.html", {**values, "proof": None, "waiting": True, "soon": True}, status=404)
    except ValueError:
        return page(request, "proof.html", {**values, "proof": None, "waiting": True, "soon": False}, status=404)
    except LedgerDamaged:
        return page(request, "proof.html", {**values, "proof": None, "waiting": False, "soon": False}, status=503)
    return page(request, "proof.html", {**values, "proof": found, "waiting": False, "soon": False})


async def download(request: Request) -> Response:
    """GET /proof/{entry}.tlog-proof: the proof as a file."""
    console: Console = request.app.state.console
    try:
        entry = UUID(request.path_params["entry"])
        text = await prove(entry, log=console.log)
    except (ValueError, NotInLedger):
        return page(request, "proof.html", {"entry": "", "key": "", "q": "", "proof": None, "waiting": True, "soon": False}, status=404)
    named = {"Content-Disposition": f'attachment; filename="{entry}.tlog-proof"'}
    return Response(text, media_type="text/plain; charset=utf-8", headers=named)


async def verified(entry: UUID, console: Console) -> Verified:
    """The checked proof. Raises NotInLedger until a checkpoint covers the entry, LedgerDamaged when the proof does not hold."""
    text = await prove(entry, log=console.log)
    placed = await console.log.place_of(entry)
    if placed is None or placed.leaf is None:
        raise NotInLedger(str(entry))
    try:
        checkpoint = verify_proof(text, placed.leaf, console.log_key)
    except (ProofMalformed, NoteMalformed, NoteRefused, ProofRefused) as broken:
        raise LedgerDamaged(str(broken)) from broken
    proof = parse_proof(text)
    fields = leaves.parse(placed.leaf)
    shown = json.dumps(fields, indent=1, sort_keys=True, ensure_ascii=False)
    return Verified(
        shown, leaf_hash(placed.leaf).hex(), placed.seq, len(proof.hashes), checkpoint.size, checkpoint.root.hex(), checkpoint.origin,
        text.decode(),
    )  # fmt: skip
