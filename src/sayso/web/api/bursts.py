"""Bursts: opt-outs that a machine may have made, the evidence, and the one offer to their people to confirm or undo.

Not in the wire contract, which asks for nothing here: an opt-out is honoured at once, whoever pressed.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from sayso.contracts.bursts import Bursts
from sayso.flows.offer_undo import AlreadyOffered, NoSuchBurst, offer_undo
from sayso.flows.tell_bursts import Counted, Mark, Story, tell_burst, tell_bursts
from sayso.rules.times import SECOND, format_time
from sayso.web.auth import Caller, require
from sayso.web.describe import door, page_of
from sayso.web.errors import Problem, invalid
from sayso.web.hub import hub_of
from sayso.web.reading import After, Limit, Strict, fitted, listed, read_object, strict_query
from sayso.web.render import json_answer

router = APIRouter(prefix="/api/v2/bursts", tags=["bursts"], dependencies=[Depends(strict_query)])
Admin = Annotated[Caller, require("admin")]
_SCOPES: Final = ("admin",)
_ID: Final = "019aa9c8-5e3b-7d40-8a51-2f6b1c9d0e00"
_AFTER: Final = {"soonest": 1.204, "median": 2.871, "latest": 9.655, "unknown": 0}
_EXAMPLE: Final[dict[str, Any]] = {
    "id": _ID, "found_at": "2026-11-22T10:00:12.004Z", "first_at": "2026-11-22T10:00:01.7Z", "last_at": "2026-11-22T10:00:10.1Z",
    "people": 41, "opt_outs": 41, "seconds_after_delivery": _AFTER, "different": {"networks": 1, "mail_hosts": 1, "user_agents": 1},
    "known_scanners": 41, "networks": [{"network": "203.0.113.0/24", "opt_outs": 41}],
    "mail_hosts": [{"mail_host": "company.example", "opt_outs": 41}],
    "user_agents": [{"user_agent": "Mozilla/5.0 (compatible; LinkScan/2.1)", "opt_outs": 41}], "offer": None,
}  # fmt: skip
_MARK: Final[dict[str, Any]] = {
    "entry": "019aa9c8-5e3b-7d40-8a51-2f6b1c9d0e01", "time": "2026-11-22T10:00:01.7Z", "contact_id": "c-1001", "address": "ada@company.example",
    "category": "promotional", "source": "one_click", "seconds_after_delivery": 1.204, "ip": "203.0.113.7",
    "user_agent": "Mozilla/5.0 (compatible; LinkScan/2.1)",
}  # fmt: skip
_OFFER: Final = {
    "offered_at": "2026-11-22T11:00:00Z",
    "by": "c:cl_ops",
    "entry": "019aa9c8-5e3b-7d40-8a51-2f6b1c9d0e77",
    "asked": 0,
    "waiting": 41,
}
_NUMBER: Final = {"type": ["number", "null"]}
_COUNTS: Final = {"type": "array", "items": {"type": "object"}}
_SCHEMA: Final[dict[str, Any]] = {
    "type": "object", "required": ["id", "people", "opt_outs", "seconds_after_delivery", "networks", "mail_hosts", "user_agents", "offer"],
    "properties": {
        "id": {"type": "string"}, "found_at": {"type": "string"}, "first_at": {"type": "string"}, "last_at": {"type": "string"},
        "people": {"type": "integer"}, "opt_outs": {"type": "integer"},
        "seconds_after_delivery": {
            "type": "object", "properties": {"soonest": _NUMBER, "median": _NUMBER, "latest": _NUMBER, "unknown": {"type": "integer"}},
            "description": "Between the last message that reached the person and the opt-out; `unknown` counts those where nobody told us.",
        },
        "different": {"type": "object", "description": "How many different ones there are."},
        "known_scanners": {"type": "integer", "description": "Opt-outs whose user agent is a known machine's."},
        "networks": {**_COUNTS, "description": "IPv4 /24 or IPv6 /48, most frequent first, at most five."},
        "mail_hosts": {**_COUNTS, "description": "Domains of the addresses; public mail hosts are not named."},
        "user_agents": _COUNTS,
        "offer": {
            "type": ["object", "null"], "description": "The one time its people were asked. `asked` letters lie ready or are sent; `waiting` "
            "people come next; whoever said something newer meanwhile is in neither.",
        },
        "marks": {**_COUNTS, "description": "Each opt-out, the first 500; on one burst only. Names are null once erased."},
    },
}  # fmt: skip


class OfferIn(Strict):
    """Why people are asked; it is kept in the ledger."""

    reason: str = Field(min_length=1, max_length=1000)


@dataclass(frozen=True, slots=True)
class BurstParts:
    """What these doors need, in `request.app.state.bursts`."""

    bursts: Bursts


def _bursts(request: Request) -> Bursts:
    parts: BurstParts = request.app.state.bursts
    return parts.bursts


@router.get("", **door("List bursts", scopes=_SCOPES, answer=page_of(_SCHEMA), gives={"items": [_EXAMPLE], "next": None}))
async def list_bursts(request: Request, limit: Limit, after: After, _: Admin) -> Response:
    """Opt-outs through links that look like a machine's, newest first, with the evidence. All of them are honoured."""
    page = await tell_bursts(UUID(after) if after else None, limit + 1, bursts=_bursts(request), book=hub_of(request).book)
    more = str(page[limit - 1].burst.id) if len(page) > limit else None
    return json_answer(listed([shown(one) for one in page[:limit]], more))


@router.get(
    "/{burst_id:id}",
    **door("Show a burst", scopes=_SCOPES, answer=_SCHEMA, gives={**_EXAMPLE, "marks": [_MARK]}, problems=("not_found",)),
)
async def show_burst(request: Request, burst_id: str, _: Admin) -> Response:
    """One burst with each of its opt-outs."""
    story = await tell_burst(_known(burst_id), bursts=_bursts(request), book=hub_of(request).book)
    if story is None:
        raise _nowhere()
    return json_answer({**shown(story), "marks": [marked(one) for one in story.marks]})


@router.post(
    "/{burst_id:id}/offer",
    **door(
        "Ask the people of a burst", scopes=_SCOPES, body=OfferIn, sent={"reason": "the scanner of company.example pressed every link"},
        answer=_SCHEMA, gives={**_EXAMPLE, "offer": _OFFER}, status=202, problems=("not_found", "change_refused"),
    ),
)  # fmt: skip
async def offer_way_back(request: Request, burst_id: str, caller: Admin) -> Response:
    """Each of them is mailed once: confirm, or undo within 30 days. Nothing is undone without the person. A second offer is refused."""
    given = fitted(OfferIn, await read_object(request))
    if not given.reason.strip():
        raise invalid(("say why these people are asked", "#/reason"))
    hub, bursts = hub_of(request), _bursts(request)
    burst = _known(burst_id)
    try:
        await offer_undo(burst, given.reason.strip(), caller.via, bursts=bursts, book=hub.book, ground=await hub.current.ground())
    except NoSuchBurst:
        raise _nowhere() from None
    except AlreadyOffered as before:
        told = f"The people of this burst were asked on {format_time(before.offered.at)}; nobody is asked twice."
        raise Problem("change_refused", told, more={"rule": "offered_once"}) from None
    story = await tell_burst(burst, bursts=bursts, book=hub.book)
    assert story is not None  # it was offered just now
    return json_answer(shown(story), 202)


def _known(raw: str) -> UUID:
    try:
        return UUID(raw)
    except ValueError:
        raise _nowhere() from None


def _nowhere() -> Problem:
    return Problem("not_found", "There is no burst of this id.")


async def with_marks(
    request: Request, found: tuple[list[dict[str, Any]], str | None] | None
) -> tuple[list[dict[str, Any]], str | None] | None:
    """A page of a history, each entry with the burst it is suspected to belong to (null: none)."""
    parts: BurstParts | None = getattr(request.app.state, "bursts", None)
    if found is None:
        return None
    items, more = found
    marks = await parts.bursts.marks([item["entry"] for item in items]) if parts else {}
    return [{**item, "suspected": str(marks[item["entry"]]) if item["entry"] in marks else None} for item in items], more


def shown(story: Story) -> dict[str, Any]:
    """A burst on the wire."""
    burst = story.burst
    offer = burst.offered
    return {
        "id": str(burst.id),
        "found_at": format_time(burst.found_at),
        "first_at": format_time(burst.first_at),
        "last_at": format_time(burst.last_at),
        "people": burst.people,
        "opt_outs": burst.opt_outs,
        "seconds_after_delivery": {
            "soonest": _seconds(burst.soonest), "median": _seconds(burst.median), "latest": _seconds(burst.latest),
            "unknown": burst.undelivered,
        },
        "different": {"networks": burst.networks, "mail_hosts": burst.hosts, "user_agents": burst.agents},
        "known_scanners": burst.scanners,
        "networks": _counts("network", story.networks),
        "mail_hosts": _counts("mail_host", story.hosts),
        "user_agents": _counts("user_agent", story.agents),
        "offer": {
            "offered_at": format_time(offer.at), "by": offer.by, "entry": offer.entry, "asked": burst.asked,
            "waiting": burst.people - burst.settled,
        } if offer else None,
    }  # fmt: skip


def marked(mark: Mark) -> dict[str, Any]:
    """One of its opt-outs on the wire."""
    return {
        "entry": mark.entry, "time": format_time(mark.at), "contact_id": mark.contact_id, "address": mark.address, "category": mark.category,
        "source": mark.source, "seconds_after_delivery": _seconds(mark.after), "ip": mark.ip, "user_agent": mark.user_agent,
    }  # fmt: skip


def _seconds(after: int | None) -> float | None:
    return None if after is None else round(after / SECOND, 3)


def _counts(name: str, counted: Counted) -> list[dict[str, Any]]:
    return [{name: word, "opt_outs": number} for word, number in counted]
