"""What people's pages say and how they look: the draft that colleagues see first, and what is live for everybody."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from sayso.contracts.center import DraftMoved, DraftPages, LivePages
from sayso.flows.publish_pages import NoDraft, discard_pages, draft_pages, publish_pages
from sayso.rules.catalogue import to_json
from sayso.rules.pages import Draft, InvalidPages, draft_body, draft_of, to_body
from sayso.rules.times import format_time
from sayso.web.api.wanted import RESERVED
from sayso.web.auth import Caller, require
from sayso.web.center.languages import flaws_of
from sayso.web.center.parts import center_parts
from sayso.web.describe import door
from sayso.web.errors import Problem, invalid
from sayso.web.hub import hub_of
from sayso.web.reading import Strict, fitted, read_object, strict_query
from sayso.web.render import json_answer

router = APIRouter(tags=["center"], dependencies=[Depends(strict_query)])
Admin = Annotated[Caller, require("admin")]
PATH: Final = "/api/v2/center_texts"

_OBJECT: Final = {"type": "object"}
_DRAFT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "texts": {**_OBJECT, "description": "By language, then key."},
        "brands": {**_OBJECT, "description": "By brand (* is the company): texts, six colours, a logo as a data: URI."},
        "catalogue": {"type": ["object", "null"], "description": "Categories that go live with it; null leaves them."},
        "shown_to": {"type": "array", "items": {"type": "string"}, "description": "Colleagues who see the draft: addresses, @domains."},
    },
}  # fmt: skip
_SENT: Final[dict[str, Any]] = {
    "texts": {"en": {"category_promotional_often": "At most twice a month"}},
    "brands": {"*": {"texts": {}, "colours": {"accent": "#0b5d4e"}, "logo": None}},
    "catalogue": None,
    "shown_to": ["@northwind.example"],
}
_STATE: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["live", "draft"],
    "properties": {"live": _OBJECT, "draft": {"type": ["object", "null"]}, "warnings": {"type": "array", "items": {"type": "string"}}},
}
_GIVES: Final = {
    "live": {"version": 3, "texts": {}, "brands": {}}, "draft": {"revision": 1, "at": "2026-11-22T10:00:00Z", **_SENT},
}  # fmt: skip


class PublishIn(Strict):
    """Which draft goes live; without a revision whichever there is."""

    revision: int | None = None


@router.get(PATH, **door("Read the texts and looks of the pages", scopes=("admin",), answer=_STATE, gives=_GIVES))
async def read_texts(request: Request, _: Admin) -> Response:
    """What is live, and the draft where there is one."""
    pages = center_parts(request).pages
    return json_answer(_state(await pages.live(), await pages.draft()))


@router.put(PATH, **door("Draft new texts and looks", scopes=("admin",), body=_DRAFT, sent=_SENT, answer=_STATE, gives=_GIVES))
async def write_texts(request: Request, caller: Admin) -> Response:
    """Keeps a draft in place of an earlier one. Only the colleagues it names are shown it, until it is published."""
    parts, hub = center_parts(request), hub_of(request)
    draft = await _checked(request, await read_object(request))
    await draft_pages(draft, caller.via, pages=parts.pages, book=hub.book, ground=await hub.current.ground())
    parts.showing.stale()
    return json_answer(_state(await parts.pages.live(), await parts.pages.draft()))


@router.post(
    f"{PATH}:publish",
    **door("Publish the draft", scopes=("admin",), body=PublishIn, sent={"revision": 1}, answer=_STATE,
           gives={"live": {"version": 4, "texts": {}, "brands": {}}, "draft": None}, problems=("not_found", "conflict_version")),
)  # fmt: skip
async def publish_texts(request: Request, caller: Admin) -> Response:
    """Everybody is shown the draft from now on (within a second), its categories included. It is noted in the ledger."""
    parts, hub = center_parts(request), hub_of(request)
    asked = fitted(PublishIn, await read_object(request))
    try:
        live, _ = await publish_pages(
            caller.via, pages=parts.pages, desk=hub.desk, book=hub.book, ground=await hub.current.ground(), revision=asked.revision or 0
        )
    except NoDraft:
        raise Problem("not_found", "There is no draft to publish.") from None
    except DraftMoved as moved:
        current = _state(await parts.pages.live(), await parts.pages.draft())
        raise Problem("conflict_version", f"{moved}; read it and decide again.", more={"current": current}) from None
    hub.current.stale()
    parts.showing.stale()
    return json_answer(_state(live, None))


@router.delete(PATH, **door("Discard the draft", scopes=("admin",), status=204, problems=("not_found",)))
async def discard_texts(request: Request, caller: Admin) -> Response:
    """Takes the draft away; what is live stays as it is."""
    parts, hub = center_parts(request), hub_of(request)
    try:
        await discard_pages(caller.via, pages=parts.pages, book=hub.book, ground=await hub.current.ground())
    except NoDraft:
        raise Problem("not_found", "There is no draft.") from None
    parts.showing.stale()
    return Response(status_code=204)


async def _checked(request: Request, body: dict[str, Any]) -> Draft:
    version = (await hub_of(request).desk.catalogue()).version + 1
    try:
        draft = draft_of(body, version)
    except InvalidPages as wrong:
        raise invalid((wrong.detail, wrong.pointer)) from None
    if errors := flaws(draft):
        raise invalid(*errors)
    return draft


def flaws(draft: Draft) -> list[tuple[str, str]]:
    """What only the pages themselves can tell of a draft: texts nobody shows, places that do not exist, keys that are taken."""
    sets = [("#/texts", draft.pages.texts), *((f"#/brands/{b}/texts", texts) for b, texts in draft.pages.brand_texts.items())]
    found = [(flaw, f"{at}/{language}") for at, texts in sets for language, own in texts.items() for flaw in flaws_of(own, language)]
    categories = draft.catalogue.categories if draft.catalogue else ()
    return found + [
        ("this key would give a field that means something else", f"#/catalogue/categories/{n}/key")
        for n, category in enumerate(categories)
        if category.key in RESERVED
    ]


def _state(live: LivePages, held: DraftPages | None) -> dict[str, Any]:
    body = None
    if held is not None:
        body = {"revision": held.revision, "at": format_time(held.at), **draft_body(held.draft)}
        if held.draft.catalogue is not None:
            body["catalogue"] = to_json(held.draft.catalogue)
    return {"live": {"version": live.version, **to_body(live.pages)}, "draft": body}
