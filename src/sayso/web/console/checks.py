"""Asking whether something may be sent, and the answer under an address of its own."""

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sayso.web.console.guard import own_form
from sayso.web.console.pages import page
from sayso.web.console.parts import Console
from sayso.web.console.reading import keys_meant
from sayso.web.errors import Problem

FIELDS = ("who", "channel", "category", "country")


async def ask(request: Request) -> Response:
    """POST /check: asks, then leads to the logged answer."""
    console: Console = request.app.state.console
    form = await own_form(request, console.form_token, console.hosts)
    asked = {name: form.get(name, "") for name in FIELDS}
    try:
        answer = await console.asking.ask_one(body_of(asked), explain=True)
    except Problem as flawed:
        return await _shown(request, asked, problem="; ".join(dict.fromkeys(detail for detail, _ in flawed.errors)), status=422)
    if answer["id"] is None:
        return await _shown(request, asked, answer=answer)
    return RedirectResponse(f"/check?{urlencode({'id': answer['id'], **asked})}", 303)


async def show(request: Request) -> Response:
    """GET /check: the form; with an id, the answer that was logged under it."""
    console: Console = request.app.state.console
    asked = {name: request.query_params.get(name, "")[:500] for name in FIELDS}
    wanted = request.query_params.get("id", "").removeprefix("chk_")
    if not wanted:
        return await _shown(request, asked)
    try:
        check = UUID(wanted)
        logged = await console.asking.gatehouse.logged(check)
    except ValueError:
        logged = None
    if logged is None:
        return await _shown(request, asked, problem="No check was logged under this id.", status=404)
    ground = await console.ground()
    return await _shown(request, asked, answer=console.asking.answer(check, logged, ground.catalogue, explain=True))


def body_of(asked: dict[str, str]) -> dict[str, Any]:
    """The API's body for what the form asks. What looks like an address is one; anything else is a contact id."""
    kinds = {key.kind for key in keys_meant(asked["who"])}
    name = "address" if "email" in kinds or "@" in asked["who"] or asked["who"].startswith("+") else "contact_id"
    body = {name: asked["who"], "channel": asked["channel"] or "email", "category": asked["category"], "country": asked["country"].upper()}
    return {field: value for field, value in body.items() if value or field in ("category", name)}


@dataclass(frozen=True, slots=True)
class Because:
    """One reason in words, with every entry that says so: a word kept for the person and for the address stands in two."""

    detail: str
    code: str
    since: str
    entries: tuple[str, ...]


def reasons_of(answer: dict[str, Any] | None) -> list[Because]:
    """The reasons of an answer, those of the same words as one."""
    found: dict[tuple[str, str], Because] = {}
    for reason in answer["reasons"] if answer else ():
        place = (reason["code"], reason["detail"])
        known = found.get(place, Because(reason["detail"], reason["code"], (reason["since"] or "")[:10], ()))
        entries = (*known.entries, reason["entry"]) if reason["entry"] else known.entries
        found[place] = replace(known, entries=entries)
    return list(found.values())


async def _shown(request: Request, asked: dict[str, str], *, answer: Any = None, problem: str = "", status: int = 200) -> Response:
    console: Console = request.app.state.console
    ground = await console.ground()
    values = {
        "asked": asked, "answer": answer, "problem": problem, "reasons": reasons_of(answer), "catalogue": ground.catalogue,
        "body": body_of(asked) if asked["who"] else None,
    }  # fmt: skip
    return page(request, "check.html", values, status=status)
