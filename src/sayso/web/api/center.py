"""The headless twin of the preference page: the same doors for companies that draw their own. The link's token is the authority."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

import sayso.web.paths  # noqa: F401  registers the convertor `id`
from sayso.contracts.center import REASON_LENGTH, REASONS, Chosen, Presented, System, Undone, Wish
from sayso.flows.choose import choose
from sayso.flows.give_reason import REASON, give_reason
from sayso.flows.open_link import open_link
from sayso.flows.record import ChangeRefused
from sayso.flows.undo import undo
from sayso.rules.times import DAY, format_time, parse_time
from sayso.rules.tokens import BadToken, Undo, read, read_undo
from sayso.web.api.center_shapes import ANSWER, EXAMPLE, PRESENTED, SHOWN
from sayso.web.center.asking import asker
from sayso.web.center.doors import Visit, visit
from sayso.web.center.languages import LANGUAGES
from sayso.web.center.wishes import LONGEST_PAUSE
from sayso.web.describe import door
from sayso.web.errors import Problem, invalid
from sayso.web.reading import Strict, fitted, read_object
from sayso.web.render import json_answer

router = APIRouter(tags=["center"])
PATH: Final = "/api/v2/center/{token}"
METHODS: Final = "GET, POST, OPTIONS"
LONGEST: Final = 65_536


class WishIn(Strict):
    """What a person asks for. Leave out what they did not touch; a box that was ticked already and stays so says nothing."""

    choices: dict[str, Literal["opted_in", "opted_out"]] = Field(default_factory=dict, max_length=200, description="By category key.")
    stop: Literal["brand", "company"] | None = Field(None, description="Stops everything on this channel; nothing else is read then.")
    paused_until: str | None = Field(None, description="A pause ends at this time; null ends it now. Left out: it stays as it is.")
    reason: str | None = Field(None, max_length=REASON_LENGTH, description=f"One of {', '.join(REASONS)}, or the person's own words.")
    language: str | None = Field(None, max_length=35, description="The language the person was shown, such as de.")
    undo: str | None = Field(None, max_length=4_096, description="Takes back the act that gave this token; nothing else is read then.")


@router.get(
    PATH, **door("What a preference page shows", answer=PRESENTED, gives=SHOWN, problems=("invalid_input", "not_found", "unavailable")),
)  # fmt: skip
async def read_center(request: Request, token: str, lang: Annotated[str | None, Field(max_length=35)] = None) -> Response:
    """Everything the page behind a link shows. History and mail sent are empty unless the link was mailed within the hour."""
    seen = await _visit(request)
    return _answer(request, seen, shown(await seen.presented()))


@router.post(
    PATH,
    **door(
        "Save what a person asked for", body=WishIn, sent=EXAMPLE, answer=ANSWER,
        gives={**SHOWN, "result": {"at": "2026-11-22T10:00:00.123456Z", "reference": "01KA-9WH2-M4P9",
               "entries": ["019aa9c8-5e3b-7d40-8a51-2f6b1c9d0e01"], "changed": ["promotional"], "refused": [], "to_confirm": [],
               "undo": "1.k1.AAAA.BBBB"}},
        problems=("invalid_json", "not_found", "change_refused", "too_large", "unsupported_media_type", "invalid_input", "unavailable"),
    ),
)  # fmt: skip
async def write_center(request: Request, token: str) -> Response:
    """Applied at once, and told to every connected system. Opting in needs a link mailed within the hour; else it waits for a mail's answer.

    `result.undo` takes exactly this act back, for 30 minutes.
    """
    body = await _body(request)
    asked = fitted(WishIn, body)
    seen = await _visit(request, asked.language)
    if seen.opened.gone:
        return _answer(request, seen, {**shown(await seen.presented()), "result": None})
    if asked.undo is not None:
        result: dict[str, Any] = _undone(await _take_back(seen, asked.undo))
    else:
        result = _chosen(await _choose(seen, asked, body))
    opened = await open_link(seen.token, book=seen.parts.book, ring=seen.parts.ring, ground=seen.ground)
    after = replace(seen, opened=opened)
    return _answer(request, seen, {**shown(await after.presented()), "result": result})


@router.options(PATH, include_in_schema=False)
async def ask_center(request: Request, token: str) -> Response:
    """What a browser asks before it sends a request from another website: only configured origins are let in."""
    answer = Response(None, 204, {"Allow": METHODS, "Cache-Control": "no-store"})
    seen = await _visit(request)
    if _lets_in(request, seen):
        answer.headers.update({"Access-Control-Allow-Methods": METHODS, "Access-Control-Allow-Headers": "Content-Type"})
        answer.headers["Access-Control-Max-Age"] = "600"
        _open_to(request, seen, answer)
    return answer


async def _visit(request: Request, language: str | None = None) -> Visit:
    if unknown := sorted(set(request.query_params) - {"lang"}):
        raise invalid(("unknown parameter; known are lang", f"query/{unknown[0][:64]}"))
    if language is not None and language.partition("-")[0].lower() not in LANGUAGES:
        raise invalid((f"one of {', '.join(LANGUAGES)}", "#/language"))
    try:
        return await visit(request, said=language or "")
    except BadToken:
        raise Problem("not_found", "This link is not one of ours.") from None


async def _body(request: Request) -> dict[str, Any]:
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > LONGEST:
        raise Problem("too_large", f"A body has at most {LONGEST:,} bytes here.")
    return await read_object(request)


async def _choose(seen: Visit, asked: WishIn, body: Mapping[str, Any]) -> Chosen:
    wish = Wish({}, asked.stop) if asked.stop else Wish(_choices(seen, asked), pause_until=_pause(seen, asked, body))
    parts, manner = seen.parts, seen.manner(reason=asked.reason)
    ask = asker(parts, manner, seen.texts.language, seen.ground)
    chosen = await choose(seen.opened, wish, seen.catalogue, manner, book=parts.book, ring=parts.ring, ground=seen.ground, ask=ask)
    if asked.reason:
        listed = asked.reason in REASONS
        properties = {
            "reason": asked.reason if listed else "other", "words": None if listed else asked.reason, "entries": list(chosen.entries)
        }  # fmt: skip
        await give_reason(seen.opened, REASON, properties, seen.manner(), book=parts.book, ground=seen.ground)
    return chosen


def _choices(seen: Visit, asked: WishIn) -> dict[str, bool]:
    """The choices by category. Raises Problem for categories that nobody knows, ChangeRefused for those that cannot be refused."""
    known = {key: seen.catalogue.get(key) for key in asked.choices}
    if unknown := [key for key, category in known.items() if category is None]:
        raise invalid(
            *((f"no category; known are {', '.join(c.key for c in seen.catalogue.refusable)}", f"#/choices/{key[:64]}") for key in unknown)
        )
    locked = tuple(f"#/choices/{key}" for key, category in known.items() if category and not category.refusable)
    if locked:
        raise ChangeRefused("transactional_is_always_sent", "What is always sent cannot be chosen.", locked)
    return {key: choice == "opted_in" for key, choice in asked.choices.items()}


def _pause(seen: Visit, asked: WishIn, body: Mapping[str, Any]) -> int | None:
    if "paused_until" not in body:
        return None
    if asked.paused_until is None:
        return 0
    try:
        until = parse_time(asked.paused_until)
    except ValueError as wrong:
        raise invalid((str(wrong), "#/paused_until")) from None
    now = seen.ground.clock()
    if not now < until <= now + LONGEST_PAUSE * DAY:
        raise invalid((f"a time to come, at most {LONGEST_PAUSE} days ahead", "#/paused_until"))
    return until


async def _take_back(seen: Visit, text: str) -> Undone:
    """The undo of an act of these very people."""
    try:
        right = read_undo(read(seen.parts.ring, text, kinds=["undo"], now=seen.ground.clock()))
    except BadToken as bad:
        why = "the half hour for it is over" if bad.reason == "expired" else "no undo of ours"
        raise invalid((why, "#/undo")) from None
    if not _same_people(seen, right):
        raise invalid(("no undo of ours", "#/undo"))
    return await undo(right, seen.manner(), book=seen.parts.book, ground=seen.ground)


def _same_people(seen: Visit, right: Undo) -> bool:
    link = seen.opened.link
    return (right.contact or right.address) == (link.contact or link.address)


def shown(presented: Presented) -> dict[str, Any]:
    """The page as JSON."""
    return {
        "brand": presented.brand, "channel": presented.channel, "company": presented.company, "address": presented.masked,
        "language": presented.language, "fresh": presented.fresh, "gone": presented.gone, "version": presented.version,
        "categories": [
            {"key": c.key, "title": c.title, "sends": c.sends, "often": c.often, "on": c.on, "said": c.said, "pending": c.pending,
             "except_brands": list(c.except_brands)}
            for c in presented.categories
        ],
        "always": [{"key": c.key, "title": c.title, "sends": c.sends, "reason": c.reason} for c in presented.always],
        "stopped_all": presented.stopped_all, "paused_until": _time(presented.paused_until), "held": list(presented.held),
        "systems": [_system(one) for one in presented.systems],
        "history": [
            {"at": _time(p.at), "about": p.about, "old": p.old or None, "new": _new(p.about, p.new), "source": p.source, "reference": p.reference}
            for p in presented.history
        ],
        "mailed": [{"at": _time(m.at), "category": m.category, "subject": m.subject, "campaign": m.campaign or None} for m in presented.mailed],
        "privacy_url": presented.privacy_url, "postal_address": presented.postal_address, "wording": presented.wording,
    }  # fmt: skip


def _new(about: str, new: str) -> str | None:
    return (_time(int(new)) if about == "pause" else new) if new else None


def _system(one: System) -> dict[str, Any]:
    return {"name": one.name, "state": one.state, "at": _time(one.at), "milliseconds": one.milliseconds}


def _time(at: int | None) -> str | None:
    return format_time(at) if at is not None else None


def _chosen(chosen: Chosen) -> dict[str, Any]:
    return {
        "at": _time(chosen.at), "reference": chosen.reference or None, "entries": list(chosen.entries), "changed": list(chosen.changed),
        "refused": list(chosen.refused), "to_confirm": list(chosen.to_confirm), "undo": chosen.undo or None,
    }  # fmt: skip


def _undone(undone: Undone) -> dict[str, Any]:
    return {
        "at": _time(undone.at), "reference": undone.reference or None, "entries": [], "changed": list(undone.restored),
        "refused": list(undone.kept), "to_confirm": [], "undo": None,
    }  # fmt: skip


def _answer(request: Request, seen: Visit, body: Mapping[str, Any]) -> Response:
    answer = json_answer(dict(body), headers={"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex", "Vary": "Origin"})
    if _lets_in(request, seen):
        _open_to(request, seen, answer)
    return answer


def _lets_in(request: Request, seen: Visit) -> bool:
    return request.headers.get("origin", "") in seen.parts.embed_origins(seen.opened.brand)


def _open_to(request: Request, seen: Visit, answer: Response) -> None:
    answer.headers["Access-Control-Allow-Origin"] = request.headers["origin"]
    answer.headers["Vary"] = "Origin"
