"""Links for messages that are about to be sent (wire contract section 7): the three pages, the headers, a footer."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from sayso.flows.make_links import Made, Wanted, make_links
from sayso.rules.footer import Places, footer, language_of
from sayso.rules.headers import LIST_UNSUBSCRIBE, LIST_UNSUBSCRIBE_POST, LONGEST_URL, mailto, unsubscribe_headers
from sayso.rules.words import ANY, Scope
from sayso.web.api.messaging import (
    About,
    MessageIn,
    Messaging,
    about,
    campaigns_in,
    fitted_item,
    items_of,
    messaging_of,
    read_each,
    refused,
)
from sayso.web.auth import Caller, require
from sayso.web.describe import PROBLEM, door, inlined, one_or_many
from sayso.web.errors import Problem, invalid
from sayso.web.hub import Hub, hub_of
from sayso.web.reading import read_object, strict_query
from sayso.web.render import json_answer

router = APIRouter(tags=["messages"], dependencies=[Depends(strict_query)])
Mailer = Annotated[Caller, require("messages")]

COVERED: Final = (
    "Sign both headers: DKIM's h= must name list-unsubscribe and list-unsubscribe-post, or mailbox providers ignore them (RFC 8058)."
)
NO_HTTPS: Final = "SAYSO_PUBLIC_URL is not https: mailbox providers ignore such links, and one click will not work."
NO_MAILBOX: Final = "SAYSO_UNSUBSCRIBE_MAILBOX is not set, so there is no mailto half; some mail programs know only that one."
NOT_REFUSABLE: Final = (
    "Transactional messages cannot be refused: they get no unsubscribe link and no headers, only where to choose and why it came."
)
NOT_MAIL: Final = "Headers belong to mail only."


class LinkIn(MessageIn):
    """The message that links are wanted for."""

    language: str | None = Field(None, max_length=35, description="Language of the footer, such as de or de-AT.")


_TEXT: Final = {"type": "string"}
_SENT: Final = {
    "contact_id": "c-1001", "address": "ada@example.com", "channel": "email", "category": "promotional", "campaign_id": "spring-26",
    "message_id": "m-77", "language": "en",
}  # fmt: skip
_GIVES: Final = {
    "unsubscribe_url": "https://prefs.example.com/u/1.k1.AAAA.BBBB", "preferences_url": "https://prefs.example.com/preferences/1.k1.AAAA.BBBB",
    "why_url": "https://prefs.example.com/why/1.k1.AAAA.BBBB", "token": "1.k1.AAAA.BBBB",
    "headers": {
        LIST_UNSUBSCRIBE: "<https://prefs.example.com/u/1.k1.AAAA.BBBB>, <mailto:out+mfrggzdfmztwq2lknnwg23tp@example.com?subject=unsubscribe>",
        LIST_UNSUBSCRIBE_POST: "List-Unsubscribe=One-Click",
    },
    "footer": {
        "language": "en", "text": "-- \nUnsubscribe: https://prefs.example.com/u/1.k1.AAAA.BBBB\n…\n",
        "html": '<div lang="en" dir="ltr">…</div>',
    },
    "notes": [COVERED],
}  # fmt: skip
_LINKS: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["unsubscribe_url", "preferences_url", "why_url", "headers", "footer", "token"],
    "properties": {
        "unsubscribe_url": {"type": ["string", "null"]}, "preferences_url": _TEXT, "why_url": _TEXT, "token": _TEXT,
        "headers": {"type": "object", "additionalProperties": _TEXT},
        "footer": {"type": "object", "properties": {"language": _TEXT, "text": _TEXT, "html": _TEXT}},
        "notes": {"type": "array", "items": _TEXT}, "status": {"type": "integer"},
    },
}  # fmt: skip
_MANY: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["items", "notes"],
    "properties": {"items": {"type": "array", "items": {"oneOf": [_LINKS, PROBLEM]}}, "notes": {"type": "array", "items": _TEXT}},
}
_BODY: Final = one_or_many(inlined(LinkIn.model_json_schema()))
_MIXED: Final[dict[int | str, dict[str, Any]]] = {
    207: {"description": "Some items failed; each has its `status`.", "content": {"application/json": {"schema": _MANY}}}
}


@router.post(
    "/api/v2/links",
    **door("Links and headers for messages", scopes=("messages",), body=_BODY, sent=_SENT, answer={"oneOf": [_LINKS, _MANY]}, gives=_GIVES,
           more=_MIXED),
)  # fmt: skip
async def write_links(request: Request, _: Mailer) -> Response:
    """Links for one message, or for up to 1,000 `items` in their order (207 with a status an item where some failed).

    The links work for ever and can only restrict. Whoever was unknown is known from then on; nobody's choices are touched.
    """
    hub, parts = hub_of(request), messaging_of(request)
    body = await read_object(request)
    items = items_of(body)
    ground = await hub.current.ground()
    campaigns = await campaigns_in(items if items is not None else [body], parts.campaigns)

    def read(item: Any, at: str) -> tuple[About, str]:
        given = fitted_item(LinkIn, item, at)
        found = about(given, catalogue=ground.catalogue, campaigns=campaigns, region=ground.default_country, at=at)
        return found, language_of(given.language)

    wanted = [read(body, "#")] if items is None else read_each(items, read)
    ways = [one for one in wanted if not isinstance(one, Problem)]
    made = await make_links(
        [_wanted(found) for found, _ in ways],
        book=hub.book,
        ring=hub.ring,
        mail_keys=parts.mail_keys if parts.mailbox else None,
        ground=ground,
    )
    done = iter(zip(ways, made, strict=True))
    notes = _notes(hub, parts)
    if items is None:
        (found, language), link = next(done)
        shown = _shown(found, language, link, hub, parts, "#")
        return json_answer({**shown, "notes": _own_notes(found) or notes})
    answers = [
        refused(one, hub, request) if isinstance(one, Problem) else _item(next(done), n, hub, parts, request)
        for n, one in enumerate(wanted)
    ]
    return json_answer({"items": answers, "notes": notes}, 200 if all(one["status"] == 200 for one in answers) else 207)


def _wanted(found: About) -> Wanted:
    category = found.category.key if found.category else ANY
    return Wanted(found.contact, found.address, Scope(found.brand, found.channel, category), found.campaign, found.message)


def _item(one: tuple[tuple[About, str], Made], n: int, hub: Hub, parts: Messaging, request: Request) -> dict[str, Any]:
    (found, language), link = one
    try:
        return {**_shown(found, language, link, hub, parts, f"#/items/{n}"), "status": 200}
    except Problem as problem:
        return refused(problem, hub, request)


def _shown(found: About, language: str, link: Made, hub: Hub, parts: Messaging, at: str) -> dict[str, Any]:
    """The links of one message as the wire shows them. Raises Problem where ids make a URL too long for a header."""
    pages = {name: f"{hub.public_url}/{path}/{link.token}" for name, path in (("u", "u"), ("choose", "preferences"), ("why", "why"))}
    if len(pages["u"]) > LONGEST_URL:
        raise invalid(("campaign_id, message_id and business_unit make the link too long for a header line; use shorter ids", at))
    refusable = found.category is None or found.category.refusable
    headers: Mapping[str, str] = {}
    if refusable and found.channel == "email":
        by_mail = mailto(parts.mailbox, link.mail_key) if parts.mailbox and link.mail_key else None
        headers = unsubscribe_headers(pages["u"], by_mail)
    places = Places(pages["u"] if refusable else None, pages["choose"], pages["why"])
    foot = footer(parts.sender(found.brand), places, language)
    return {
        "unsubscribe_url": places.unsubscribe, "preferences_url": places.preferences, "why_url": places.why, "headers": dict(headers),
        "footer": {"language": foot.language, "text": foot.text, "html": foot.html}, "token": link.token,
    }  # fmt: skip


def _notes(hub: Hub, parts: Messaging) -> list[str]:
    notes = [COVERED]
    if not hub.public_url.startswith("https://"):
        notes.append(NO_HTTPS)
    return notes if parts.mailbox else [*notes, NO_MAILBOX]


def _own_notes(found: About) -> list[str]:
    if found.category is not None and not found.category.refusable:
        return [NOT_REFUSABLE]
    return [] if found.channel == "email" else [NOT_MAIL]
