"""What was sent (wire contract section 5): told by senders, counted where it had no permission, listed by person."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import Counter
from pydantic import Field

from sayso.contracts.book import Key
from sayso.contracts.messages import Sending
from sayso.flows.note_sent import Told, note_sent
from sayso.rules.sends import CODES, Send
from sayso.rules.times import MINUTE, format_time, parse_time
from sayso.web.api.messaging import MessageIn, about, campaigns_in, fitted_item, items_of, messaging_of, read_each, refused
from sayso.web.auth import Caller, require
from sayso.web.describe import PROBLEM, door, inlined, one_or_many
from sayso.web.errors import Problem, invalid
from sayso.web.hub import hub_of
from sayso.web.reading import After, Limit, address_key, contact_key, read_object, strict_query
from sayso.web.render import json_answer

router = APIRouter(tags=["messages"], dependencies=[Depends(strict_query)])
Mailer = Annotated[Caller, require("messages")]
READERS: Final = ("messages", "audit:read")
Reader = Annotated[Caller, require(*READERS)]
AHEAD: Final = 5 * MINUTE
"""How far a sender's clock may be ahead of ours; what lies further ahead was not sent yet."""
VIOLATIONS: Final = Counter("sayso_violations", "Messages that were sent without permission, by what was wrong.", ["code"])
for _code in CODES:
    VIOLATIONS.labels(_code)


class SentIn(MessageIn):
    """One message that was sent."""

    channel: str
    subject: str | None = Field(None, max_length=998)
    sent_at: str | None = Field(None, description="RFC 3339; without it now.")
    permit: str | None = Field(None, min_length=1, max_length=4096, description="What the check answered.")


_TEXT: Final = {"type": ["string", "null"]}
_VIOLATION: Final[dict[str, Any]] = {
    "type": ["object", "null"], "required": ["code", "detail"],
    "properties": {"code": {"type": "string", "enum": list(CODES)}, "detail": {"type": "string"}},
}  # fmt: skip
_NOTED: Final[dict[str, Any]] = {
    "type": "object", "required": ["id", "violation"],
    "properties": {"id": {"type": "string"}, "violation": _VIOLATION, "status": {"type": "integer"}},
}  # fmt: skip
_MANY: Final[dict[str, Any]] = {
    "type": "object", "required": ["items"], "properties": {"items": {"type": "array", "items": {"oneOf": [_NOTED, PROBLEM]}}},
}  # fmt: skip
_BODY: Final = one_or_many(inlined(SentIn.model_json_schema()))
_SENT: Final = {
    "contact_id": "c-1001", "channel": "email", "category": "promotional", "subject": "Spring is here", "sent_at": "2026-11-22T10:00:30Z",
    "campaign_id": "spring-26", "message_id": "m-77", "permit": "2.k1.AAAA.BBBB",
}  # fmt: skip
_ID: Final = "019c0a5e-7b3a-7c21-9d55-0f3b6f1c2a41"
_GIVES: Final = {"id": _ID, "violation": None}
_MIXED: Final[dict[int | str, dict[str, Any]]] = {
    207: {"description": "Some items failed; each has its `status`.", "content": {"application/json": {"schema": _MANY}}}
}
_LISTED: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["items", "next", "violations"],
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    **{name: {"type": "string"} for name in ("id", "sent_at", "channel", "category", "business_unit")},
                    **dict.fromkeys(("subject", "campaign_id", "message_id", "check_id"), _TEXT), "violation": _VIOLATION,
                },
            },
        },
        "next": _TEXT, "violations": {"type": "integer"},
    },
}  # fmt: skip
_LISTED_GIVES: Final = {
    "items": [
        {
            "id": _ID, "sent_at": "2026-11-22T10:00:30Z", "channel": "email", "category": "promotional", "business_unit": "*",
            "subject": "Spring is here", "campaign_id": "spring-26", "message_id": "m-77", "check_id": f"chk_{_ID}", "violation": None,
        }
    ],
    "next": None, "violations": 0,
}  # fmt: skip
_LIST: Final[dict[str, Any]] = {"scopes": READERS, "answer": _LISTED, "gives": _LISTED_GIVES, "problems": ("not_found",)}


@router.post(
    "/api/v2/messages",
    **door("Tell what was sent", scopes=("messages",), body=_BODY, sent=_SENT, answer={"oneOf": [_NOTED, _MANY]}, gives=_GIVES, status=201,
           more=_MIXED),
)  # fmt: skip
async def tell_sent(request: Request, _: Mailer) -> Response:
    """Keeps one message, or up to 1,000 `items` in their order (207 with a status an item where some failed).

    One without a valid permit, or an allowing verdict on this person, channel and category in the minute before, is a violation and counted.
    Telling again with the same `message_id` changes nothing and gives the first answer.
    """
    hub, parts = hub_of(request), messaging_of(request)
    body = await read_object(request)
    items = items_of(body)
    ground = await hub.current.ground()
    campaigns = await campaigns_in(items if items is not None else [body], parts.campaigns)

    def read(item: Any, at: str) -> Told:
        given = fitted_item(SentIn, item, at)
        found = about(given, catalogue=ground.catalogue, campaigns=campaigns, region=ground.default_country, at=at)
        if found.category is None:
            raise invalid(("a message that was sent was about one category", f"{at}/category"))
        if not (given.subject or "").isprintable():
            raise invalid(("a subject is one line without control characters", f"{at}/subject"))
        send = Send(_sent_at(given.sent_at, ground.clock(), at), found.channel, found.category.key, found.brand)
        return Told(
            found.contact, found.address, send, found.category.refusable, given.subject or "", found.campaign, found.message, given.permit or "",
        )  # fmt: skip

    told = [read(body, "#")] if items is None else read_each(items, read)
    good = [one for one in told if not isinstance(one, Problem)]
    noted = await note_sent(good, book=hub.book, sent=parts.sent, permits=parts.permits, ground=ground)
    for one in noted:
        if one.violation and not one.again:
            VIOLATIONS.labels(one.violation).inc()
    if items is None:
        return json_answer(_noted(noted[0]), 201)
    kept = iter(noted)
    answers = [refused(one, hub, request) if isinstance(one, Problem) else {**_noted(next(kept)), "status": 201} for one in told]
    return json_answer({"items": answers}, 201 if all(one["status"] == 201 for one in answers) else 207)


@router.get("/api/v2/contacts/{contact_id:id}/messages", **door("What was sent to a contact", **_LIST))
async def contact_messages(request: Request, contact_id: str, after: After, limit: Limit, _: Reader) -> Response:
    """Messages to the contact and to its addresses, newest first; `violations` counts all that had no permission."""
    return await _listed(request, contact_key(contact_id), after, limit)


@router.get("/api/v2/addresses/{channel:id}/{address:id}/messages", **door("What was sent to an address", **_LIST))
async def address_messages(request: Request, channel: str, address: str, after: After, limit: Limit, _: Reader) -> Response:
    """The same for leads and any address: what was told about the address itself, and about nobody else."""
    key = address_key(channel, address, hub_of(request).current.held.default_country)[1]
    return await _listed(request, key, after, limit)


async def _listed(request: Request, key: Key, after: str, limit: int) -> Response:
    page = await hub_of(request).book.read([key])
    row = page.known(key)
    if row is None:
        raise Problem("not_found", "Nothing was ever recorded about this one.")
    others = page.linked(row) if row.kind == "contact" else ()
    subs = [row.sub, *(one.sub for one in others if one.kind != "contact")]
    sent = messaging_of(request).sent
    found = await sent.read(subs, after=after, limit=limit + 1)
    count = sum((await sent.violations(subs)).values())
    more = found[limit - 1].id if len(found) > limit else None
    return json_answer({"items": [_shown(one) for one in found[:limit]], "next": more, "violations": count})


def _sent_at(raw: str | None, now: int, at: str) -> int:
    """When a message was sent, never later than now: what a clock ahead of ours says must not outlive a permit."""
    if raw is None:
        return now
    try:
        found = parse_time(raw)
    except ValueError as error:
        raise invalid((str(error), f"{at}/sent_at")) from None
    if found > now + AHEAD:
        raise invalid(("this lies in the future; tell a message when it was sent", f"{at}/sent_at"))
    return min(found, now)


def _noted(one: Sending) -> dict[str, Any]:
    return {"id": one.id, "violation": {"code": one.violation, "detail": CODES[one.violation]} if one.violation else None}


def _shown(one: Sending) -> dict[str, Any]:
    return {
        "id": one.id, "sent_at": format_time(one.at), "channel": one.channel, "category": one.category, "business_unit": one.brand,
        "subject": one.subject or None, "campaign_id": one.campaign or None, "message_id": one.message or None,
        "check_id": f"chk_{one.check}" if one.check else None, "violation": _noted(one)["violation"],
    }  # fmt: skip
