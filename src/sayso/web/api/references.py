"""References: what somebody reads out from a page or a mail leads back to the entry it was given for."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from sayso.rules.references import BadReference, plain, reference, span
from sayso.rules.times import format_time
from sayso.web.auth import Caller, require
from sayso.web.center.parts import center_parts
from sayso.web.describe import door, page_of
from sayso.web.errors import Problem, invalid
from sayso.web.reading import listed, strict_query
from sayso.web.render import json_answer

router = APIRouter(prefix="/api/v2", tags=["center"], dependencies=[Depends(strict_query)])
_SCOPES: Final = ("audit:read", "email_preferences", "email_preferences:read", "admin")
_TEXT: Final = {"type": "string"}
_ITEM: Final[dict[str, Any]] = {
    "type": "object", "required": ["entry", "reference", "received_at"],
    "properties": {"entry": _TEXT, "reference": _TEXT, "received_at": {"type": "string", "format": "date-time"}},
}  # fmt: skip
_GIVES: Final = {
    "items": [{"entry": "019aa9c8-5e3b-7d40-8a51-2f6b1c9d0e01", "reference": "06AN-9RHE-71W1", "received_at": "2026-11-22T10:00:00.123456Z"}],
    "next": None,
}  # fmt: skip


@router.get(
    "/references/{text}",
    **door("Find an entry by its reference", scopes=_SCOPES, answer=page_of(_ITEM), gives=_GIVES, problems=("not_found",)),
)
async def find_reference(request: Request, text: str, _: Annotated[Caller, require(*_SCOPES)]) -> Response:
    """The entries whose reference this is: one, in all likelihood. Case, spaces and hyphens make no difference."""
    try:
        shard, first, last = span(text)
    except BadReference as wrong:
        raise invalid((str(wrong), "path/text")) from None
    found = await center_parts(request).entries_within(shard, first, last)
    wanted = [(entry, at) for entry, at in found if reference(str(entry)) == plain(text)]
    if not wanted:
        raise Problem("not_found", "No entry has this reference.")
    rows = [{"entry": str(entry), "reference": reference(str(entry)), "received_at": format_time(at)} for entry, at in wanted]
    return json_answer(listed(rows, None))
