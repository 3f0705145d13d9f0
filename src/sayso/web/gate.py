"""The documented doors of the gate: checks, logged answers, permits (wire contract section 5). The hot lane answers the first two."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from sayso.rules.times import format_time
from sayso.rules.tokens import BadToken, Token, read, read_permit
from sayso.web.asking import Asking, batch_of
from sayso.web.auth import require
from sayso.web.describe import problem
from sayso.web.errors import Problem
from sayso.web.reading import Strict, fitted, read_object, strict_query

CHECK = {
    "contact_id": "c-1001", "address": "ada@example.com", "channel": "email", "category": "promotional", "business_unit": "outlet",
    "campaign_id": "spring-26", "message_id": "m-77", "sender": "mailchimp-eu", "country": "DE", "reserve": False,
}  # fmt: skip


class Scope(BaseModel):
    """What a reason is about; `*` is all."""

    brand: str
    channel: str
    category: str


class Reason(BaseModel):
    """Why: a code and a sentence, with the scope, the time and the ledger entry that decided, where there is one."""

    code: str
    detail: str
    scope: Scope | None
    since: str | None
    entry: str | None


class Verdict(BaseModel):
    """The answer to a check. `id` is null when it could not be logged, because the store was down."""

    model_config = ConfigDict(extra="allow")
    id: str | None
    allowed: bool
    decision: str
    reasons: list[Reason]
    permit: str | None
    rulebook: str
    regime: str
    version: int
    retry_after: str | None
    checked_at: str


class Verdicts(BaseModel):
    """The answers of a batch, in order."""

    items: list[Verdict]


class Shown(Strict):
    """A permit to verify."""

    permit: str = Field(max_length=4096, examples=["2.k1.AAAA.BBBB"])


class Verified(BaseModel):
    """Whether a permit is good. `reason` says why not: malformed, unknown_key, forged, wrong_kind, expired."""

    valid: bool
    reason: str | None
    check_id: str | None
    exp: str | None


def gate_router(asking: Asking) -> APIRouter:
    """The routes; `asking` is shared with the hot lane."""
    router = APIRouter(tags=["send checks"], dependencies=[Depends(strict_query)])
    guard = [require("send_checks")]

    @router.post("/api/v2/send_checks", dependencies=guard, response_model=Verdict, operation_id="send_check")
    async def send_check(
        body: Annotated[dict[str, Any], Body(examples=[CHECK])], explain: Annotated[bool, Query(description="Lists every rule.")] = False
    ) -> Any:
        """May this be sent? Strong, and logged before it is answered."""
        return await asking.ask_one(body, explain=explain)

    @router.post("/api/v2/send_checks:batch", dependencies=guard, response_model=Verdicts, operation_id="send_checks_batch")
    async def send_checks_batch(
        body: Annotated[dict[str, Any], Body(examples=[{"defaults": {"channel": "email", "category": "promotional"}, "items": [CHECK]}])],
        explain: bool = False,
    ) -> Any:
        """Up to 1,000 checks at once; the answers stand in the same order."""
        return {"items": await asking.ask(batch_of(body), explain=explain)}

    @router.get(
        "/api/v2/send_checks/{check_id}", dependencies=guard, response_model=Verdict, operation_id="logged_check",
        responses=problem("not_found"),
    )  # fmt: skip
    async def logged_check(check_id: str, explain: bool = False) -> Any:
        """The answer that was logged; with `explain=true` every rule in order with its input and outcome."""
        try:
            found = UUID(check_id.removeprefix("chk_"))
        except ValueError:
            found = None
        logged = await asking.gatehouse.logged(found) if found else None
        if found is None or logged is None:
            raise Problem("not_found", "No check of this id was logged.")
        return asking.answer(found, logged, (await asking.current.ground()).catalogue, explain=explain)

    @router.post(
        "/api/v2/permits:verify", dependencies=[require("send_checks", "messages")], response_model=Verified, operation_id="verify_permit",
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": Shown.model_json_schema()}}}},
    )  # fmt: skip
    async def verify_permit(request: Request) -> Any:
        """Whether a permit was given by this hub and has not run out."""
        shown = fitted(Shown, await read_object(request))
        now = asking.current.held.clock()
        try:
            token = read(asking.permits, shown.permit, kinds={"permit"}, now=now)
        except BadToken as bad:
            return _verified(bad.token, bad.reason)
        return _verified(token, None)

    return router


def _verified(token: Token | None, reason: str | None) -> Verified:
    if token is None:
        return Verified(valid=False, reason=reason, check_id=None, exp=None)
    permit = read_permit(token)
    return Verified(valid=reason is None, reason=reason, check_id=f"chk_{permit.check}", exp=format_time(permit.expires_at))
