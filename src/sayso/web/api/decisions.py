"""Why, for several messages at once, now or as of an earlier moment (feature R1). It explains; permits come from the checks."""

from collections.abc import Sequence
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from sayso.contracts.ground import Ground
from sayso.flows.check import Question, check
from sayso.flows.recall import TooMuch, recall
from sayso.rules.consulted import consulted
from sayso.rules.countries import COUNTRIES
from sayso.rules.gate import Verdict
from sayso.rules.times import format_time, parse_time
from sayso.web.asking import Asking
from sayso.web.auth import Caller, require
from sayso.web.checks import read_check
from sayso.web.describe import door
from sayso.web.errors import Problem, invalid
from sayso.web.hub import hub_of
from sayso.web.reading import read_object, strict_query
from sayso.web.render import json_answer

MOST: Final = 50
_SCOPES: Final = ("send_checks", "audit:read")
_PERSON: Final = ("contact_id", "address", "country", "business_unit")
_ASK: Final = {
    "contact_id": "c-1001", "at": "2026-11-01T00:00:00Z",
    "actions": [{"channel": "email", "category": "promotional"}, {"channel": "sms", "message_type": "order_confirmation"}],
}  # fmt: skip
_GIVEN: Final = {
    "datetime": "2026-11-01T00:00:00Z", "as_of": True,
    "decisions": [{
        "action": {"channel": "email", "category": "promotional"}, "proceed": False, "check_id": None, "regime": "us_can_spam", "version": 3,
        "explanation": [{"objectConsulted": "choice", "field": "*/email/promotional", "recordId": "019aa9c8-5e3b-7d40-8a51-2f6b1c9d0e01",
                         "value": "opted_out", "detail": "Offers and news was stopped on 2026-10-30 by the link in a message."}],
    }],
}  # fmt: skip
_SCHEMA: Final[dict[str, Any]] = {
    "type": "object", "required": ["actions"], "additionalProperties": False,
    "properties": {
        "contact_id": {"type": "string"}, "address": {"type": "string"}, "country": {"type": "string"}, "business_unit": {"type": "string"},
        "at": {"type": "string", "description": "RFC 3339; left out: now, and logged as checks are."},
        "actions": {"type": "array", "minItems": 1, "maxItems": MOST, "items": {"type": "object"}},
    },
}  # fmt: skip


def decisions_router(asking: Asking) -> APIRouter:
    """The route; `asking` knows where checks are read and logged."""
    router = APIRouter(prefix="/api/v2", tags=["send checks"], dependencies=[Depends(strict_query)])

    @router.post("/decisions", **door("Why, for several messages, now or then", scopes=_SCOPES, sent=_ASK, body=_SCHEMA, gives=_GIVEN))
    async def decide(request: Request, _: Annotated[Caller, require(*_SCOPES)]) -> Response:
        """For each action whether it may proceed, and every record that says so. With `at`, as of that moment; nothing is logged then."""
        body, ground = await read_object(request), await asking.current.ground()
        at, questions = _read(body, ground)
        if at is None:
            found = await check(questions, gatehouse=asking.gatehouse, ground=ground)
            told = [(logged.verdict, name) for name, logged in found]
        else:
            try:
                told = [(verdict, None) for verdict in await recall(questions, at, book=hub_of(request).book, ground=ground)]
            except TooMuch:
                raise Problem("too_large", "These people have more entries than one answer reads; ask for their history.") from None
        moment = format_time(at if at is not None else ground.clock())
        rows = [_shown(action, *one, ground) for action, one in zip(body["actions"], told, strict=True)]
        return json_answer({"datetime": moment, "as_of": at is not None, "decisions": rows})

    return router


def _read(body: dict[str, Any], ground: Ground) -> tuple[int | None, Sequence[Question]]:
    """The moment (None: now) and the questions. Raises Problem naming every flaw."""
    if unknown := sorted(body.keys() - {*_PERSON, "at", "actions"}):
        raise invalid(*((f"unknown field; known are actions, at, {', '.join(_PERSON)}", f"#/{name}") for name in unknown))
    actions = body.get("actions")
    if not isinstance(actions, list) or not 1 <= len(actions) <= MOST:
        raise invalid((f"actions is a list of 1 to {MOST} objects with a channel and a category or message_type", "#/actions"))
    person = {name: body[name] for name in _PERSON if name in body}
    questions: list[Question] = []
    flaws: list[tuple[str, str]] = []
    for n, action in enumerate(actions):
        try:
            if not isinstance(action, dict) or (action.keys() - {"channel", "category", "message_type"}):
                raise invalid(("an action is an object of channel and category, or channel and message_type", f"#/actions/{n}"))
            asked = read_check(
                {**person, **action}, catalogue=ground.catalogue, campaigns={}, countries=COUNTRIES, region=ground.default_country,
                at=f"#/actions/{n}",
            )  # fmt: skip
            questions.append(asked)
        except Problem as refused:
            flaws += refused.errors
    if flaws:
        raise invalid(*flaws)
    return _moment(body.get("at"), ground), questions


def _moment(raw: Any, ground: Ground) -> int | None:
    if raw is None:
        return None
    try:
        at = parse_time(raw if isinstance(raw, str) else "")
    except ValueError as wrong:
        raise invalid((str(wrong), "#/at")) from None
    if at > ground.clock():
        raise invalid(("nobody knows yet what will be answered then; leave it out to ask about now", "#/at"))
    return at


def _shown(action: dict[str, Any], verdict: Verdict, logged: UUID | None, ground: Ground) -> dict[str, Any]:
    rows = [
        {"objectConsulted": one.object, "field": one.field, "recordId": one.record, "value": one.value, "detail": one.detail}
        for one in consulted(verdict, ground.catalogue)
    ]
    return {
        "action": action, "proceed": verdict.allowed, "check_id": f"chk_{logged}" if logged else None, "regime": verdict.regime,
        "version": verdict.version, "explanation": rows,
    }  # fmt: skip
