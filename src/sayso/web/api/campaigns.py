"""Campaigns: what their messages are, so that send checks may name one instead of a category (wire contract section 5)."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from sayso.contracts.desk import Campaign
from sayso.flows.note_config import note_config
from sayso.rules.catalogue import Catalogue
from sayso.rules.times import format_time
from sayso.web.auth import Caller, require
from sayso.web.describe import door
from sayso.web.errors import Problem, invalid
from sayso.web.hub import hub_of
from sayso.web.reading import Strict, fitted, read_object, strict_query
from sayso.web.render import json_answer

router = APIRouter(tags=["campaigns"], dependencies=[Depends(strict_query)])
Admin = Annotated[Caller, require("admin")]
ID_LENGTH: Final = 255


class CampaignIn(Strict):
    """What a campaign's messages are. Transactional ones need the reason why nobody may refuse them."""

    transactional: bool
    category: str | None = None
    reason: str | None = Field(None, max_length=2000)


_GIVES: Final = {
    "id": "recall-26", "transactional": True, "category": "legal_notices", "reason": "product recall", "updated_at": "2026-11-22T10:00:00Z",
}  # fmt: skip
_ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"}, "transactional": {"type": "boolean"}, "category": {"type": ["string", "null"]},
        "reason": {"type": ["string", "null"]}, "updated_at": {"type": "string", "format": "date-time"},
    },
}  # fmt: skip
_SENT: Final = {"transactional": True, "category": "legal_notices", "reason": "product recall"}
_PATH: Final = "/api/v2/campaigns/{campaign_id:id}"


@router.put(_PATH, **door("Say what a campaign is", scopes=("admin",), body=CampaignIn, sent=_SENT, answer=_ANSWER, gives=_GIVES))
async def write_campaign(request: Request, campaign_id: str, caller: Admin) -> Response:
    """Keeps a campaign, in place of an earlier one of its id; who said so and why is in the ledger."""
    hub = hub_of(request)
    if len(campaign_id) > ID_LENGTH or not campaign_id.isprintable():
        raise invalid((f"a campaign id has at most {ID_LENGTH} printable characters", "path/campaign_id"))
    given = fitted(CampaignIn, await read_object(request))
    ground = await hub.current.ground()
    _check(given, ground.catalogue)
    campaign = Campaign(campaign_id, given.transactional, given.category, given.reason, ground.clock())
    await hub.desk.keep_campaign(campaign)
    detail = {"campaign": campaign_id, "transactional": given.transactional, "category": given.category, "reason": given.reason}
    await note_config("campaign_set", detail, caller.via, book=hub.book, ground=ground)
    return json_answer(_shown(campaign))


@router.get(_PATH, **door("Read a campaign", scopes=("admin",), answer=_ANSWER, gives=_GIVES, problems=("not_found",)))
async def read_campaign(request: Request, campaign_id: str, _: Admin) -> Response:
    """What a campaign's messages are."""
    found = await hub_of(request).desk.campaign(campaign_id)
    if found is None:
        raise Problem("not_found", "No campaign of this id was stored.")
    return json_answer(_shown(found))


def _check(given: CampaignIn, catalogue: Catalogue) -> None:
    """Refuses a campaign that says two things: what may be refused is never transactional, by no flag."""
    category = catalogue.get(given.category) if given.category is not None else None
    if given.category is not None and category is None:
        raise invalid((f"no such category; the catalogue has {', '.join(c.key for c in catalogue.categories)}", "#/category"))
    if given.transactional and not (given.reason and given.reason.strip()):
        raise invalid(("say why nobody may refuse these messages", "#/reason"))
    if not given.transactional and category is None:
        raise invalid(("name the category its messages belong to", "#/category"))
    if category is not None and given.transactional == category.refusable:
        word = "can be refused" if category.refusable else "is transactional"
        raise invalid((f"the category {category.key} {word}", "#/transactional"))


def _shown(campaign: Campaign) -> dict[str, Any]:
    return {
        "id": campaign.id, "transactional": campaign.transactional, "category": campaign.category, "reason": campaign.reason,
        "updated_at": format_time(campaign.at),
    }  # fmt: skip
