"""Where vendors call: the raw bytes, judged by the connector of the connection they name. Answered when what they say is durable.

No access token is asked for: the vendor's signature, or the secret in the address, proves the call. GET and HEAD change nothing;
some vendors probe an address so before they use it.
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from sayso.contracts.connector import Call
from sayso.flows.receive import CallRefused, CallUnreadable, receive
from sayso.web.describe import door
from sayso.web.errors import Problem
from sayso.web.hub import hub_of
from sayso.web.spokes import connector_of, found, spoke_parts

router = APIRouter(tags=["hooks"])
_ANSWER = {
    "type": "object",
    "properties": {"recorded": {"type": "integer"}, "duplicates": {"type": "integer"}, "flagged": {"type": "integer"}},
}
_HEARD = door(
    "A vendor tells what happened", answer=_ANSWER, gives={"recorded": 1, "duplicates": 0, "flagged": 0},
    problems=("unauthorized", "not_found", "too_large", "invalid_input", "unavailable"),
)  # fmt: skip
_PROBED = door("A vendor probes the address", answer={"type": "object"}, gives={"ok": True}, problems=("not_found",))


@router.get("/hooks/{connection_id}", **_PROBED)
@router.get("/hooks/{connection_id}/{secret:id}", include_in_schema=False)
async def probe_hook(request: Request, connection_id: str) -> Response:
    """Says that the address exists. Changes nothing."""
    await found(spoke_parts(request), connection_id)
    return JSONResponse({"ok": True})


@router.head("/hooks/{connection_id}", include_in_schema=False)
@router.head("/hooks/{connection_id}/{secret:id}", include_in_schema=False)
async def probe_hook_head(request: Request, connection_id: str) -> Response:
    """Says that the address exists. Changes nothing."""
    await found(spoke_parts(request), connection_id)
    return Response()


@router.post("/hooks/{connection_id}", **_HEARD)
async def heard_hook(request: Request, connection_id: str) -> Response:
    """The call is kept as it came, its facts are recorded, then it is answered 200.

    A call that does not prove itself is refused with 401 and not kept. One that nobody can read is kept, flagged and answered 422.
    Events of unknown names beside known ones are kept and flagged too, but answered 200: what was understood is safe, and asking
    the vendor to repeat the call would not make it clearer.
    """
    return await _hear(request, connection_id, None)


@router.post("/hooks/{connection_id}/{secret:id}", include_in_schema=False)
async def heard_hook_with_secret(request: Request, connection_id: str, secret: str) -> Response:
    """The same for vendors that prove a call by a secret in its path."""
    return await _hear(request, connection_id, secret)


async def _hear(request: Request, connection_id: str, secret: str | None) -> Response:
    parts, ground = spoke_parts(request), await hub_of(request).current.ground()
    connection = await found(parts, connection_id)
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw)
    query = tuple((key, str(value)) for key, value in request.query_params.multi_items())
    call = Call(request.method, headers, query, await request.body(), ground.clock(), secret)
    try:
        became = await receive(connection, connector_of(parts, connection), call, ears=parts.ears, ground=ground)
    except CallRefused as refused:
        raise Problem("unauthorized", f"The call does not prove where it comes from: {refused}.") from refused
    except CallUnreadable as odd:
        raise Problem("invalid_input", f"The call cannot be read: {odd}. It was kept for a person to look at.") from odd
    return JSONResponse({"recorded": became.recorded, "duplicates": became.duplicates, "flagged": len(became.oddities)})
