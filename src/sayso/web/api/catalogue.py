"""The catalogue of categories (wire contract section 6): read it, store a new version."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from sayso.contracts.desk import VersionTaken
from sayso.flows.note_config import note_config
from sayso.rules.catalogue import CLASSES, DEFAULT, Catalogue, InvalidCatalogue, from_json, to_json, warnings_of
from sayso.web.api.wanted import RESERVED
from sayso.web.auth import Caller, require
from sayso.web.describe import door
from sayso.web.errors import Problem, invalid
from sayso.web.hub import hub_of
from sayso.web.reading import if_match, read_object, strict_query
from sayso.web.render import etag, json_answer

router = APIRouter(tags=["catalogue"], dependencies=[Depends(strict_query)])
Admin = Annotated[Caller, require("admin")]
LARGEST: Final = 200
LONGEST: Final = 500

_TEXT: Final = {"type": "string"}
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["categories"],
    "properties": {
        "version": {"type": "integer"},
        "categories": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["key", "class", "title", "sends", "often"],
                "properties": {
                    "key": _TEXT, "class": {"type": "string", "enum": list(CLASSES)}, "title": _TEXT, "sends": _TEXT, "often": _TEXT,
                    "reason": {"type": ["string", "null"]},
                },
            },
        },
        "message_types": {"type": "object", "additionalProperties": _TEXT},
        "warnings": {"type": "array", "items": _TEXT},
    },
}  # fmt: skip
_PATH: Final = "/api/v2/catalogue"


@router.get(_PATH, **door("Read the catalogue", scopes=("admin",), answer=SCHEMA, gives=to_json(DEFAULT)))
async def read_catalogue(request: Request, _: Admin) -> Response:
    """The categories in force with their classes and wording, and the message types that belong to them; `ETag` is the version."""
    found = await hub_of(request).desk.catalogue()
    return json_answer(to_json(found), headers=etag(found.version))


@router.put(
    _PATH, **door("Store a new catalogue", scopes=("admin",), body=SCHEMA, sent=to_json(DEFAULT), answer=SCHEMA, gives=to_json(DEFAULT),
                  problems=("conflict_version",)),
)  # fmt: skip
async def write_catalogue(request: Request, caller: Admin) -> Response:
    """Puts a whole new catalogue in force within a second. A `version` in it, or `If-Match`, must be the one it replaces."""
    hub = hub_of(request)
    body = await read_object(request)
    held = await hub.desk.catalogue()
    demanded = if_match(request)
    named = body.get("version", held.version)
    if not isinstance(named, int) or isinstance(named, bool):
        raise invalid(("the version that this one replaces, a whole number; leave it out to replace whichever is in force", "#/version"))
    if named != held.version or demanded not in (None, "*", held.version):
        raise _moved_on(held)
    found = _checked(body, held.version + 1)
    try:
        await hub.desk.keep_catalogue(found, hub.current.held.clock())
    except VersionTaken:
        raise _moved_on(await hub.desk.catalogue()) from None
    hub.current.stale()
    ground = await hub.current.ground()
    await note_config("catalogue_applied", {"version": found.version}, caller.via, book=hub.book, ground=ground)
    return json_answer({**to_json(found), "warnings": list(warnings_of(found))}, headers=etag(found.version))


def _moved_on(held: Catalogue) -> Problem:
    text = f"The catalogue is at version {held.version} now; read it and decide again."
    return Problem("conflict_version", text, headers=etag(held.version), more={"current": to_json(held)})


def _checked(body: dict[str, Any], version: int) -> Catalogue:
    """The catalogue of a body. Raises Problem for what the rules refuse, and for keys that would shadow other fields."""
    try:
        found = from_json(body, version)
    except InvalidCatalogue as error:
        raise invalid((error.detail, error.pointer)) from None
    errors = [
        ("this key would give a field that means something else", f"#/categories/{n}/key")
        for n, category in enumerate(found.categories)
        if category.key in RESERVED
    ]
    texts = [(n, name, getattr(c, name)) for n, c in enumerate(found.categories) for name in ("title", "sends", "often", "reason")]
    errors += [(f"at most {LONGEST} characters", f"#/categories/{n}/{name}") for n, name, text in texts if len(text) > LONGEST]
    if len(found.categories) > LARGEST or len(found.message_types) > LARGEST * 10:
        errors.append((f"at most {LARGEST} categories and {LARGEST * 10} message types", "#"))
    if errors:
        raise invalid(*errors)
    return found
