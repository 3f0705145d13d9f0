"""Asking the gate over the wire: JSON bodies in, answers out. One function serves the hot lane and the documented doors."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from prometheus_client import Counter as Metric

from sayso.contracts.book import Unavailable
from sayso.contracts.desk import Campaign, Desk
from sayso.contracts.gatehouse import Gatehouse
from sayso.contracts.ground import Ground
from sayso.flows.check import Question, check
from sayso.rules.answer import Logged, explained, shown
from sayso.rules.catalogue import Catalogue
from sayso.rules.countries import COUNTRIES
from sayso.rules.tokens import Ring, sign_permit
from sayso.web.checks import read_check
from sayso.web.errors import Problem, invalid
from sayso.web.hub import Current

LARGEST: Final = 1_000
FRESH_SECONDS: Final = 1.0
BREATH: Final = 50
"""Checks of one batch that are read or answered at a stretch, so that single ones need not wait for a thousand."""
CHECKS: Final = Metric("sayso_checks", "Pre-send checks answered, by decision; unknown: the store could not be read.", ["decision"])
_ALLOWED, _BLOCKED, _UNKNOWN = (CHECKS.labels(decision) for decision in ("allow", "block", "unknown"))


class Campaigns:
    """Campaigns by id, believed for a second; an unknown one is asked for again each time."""

    def __init__(self, desk: Desk, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._desk, self._monotonic = desk, monotonic
        self._held: dict[str, tuple[float, Campaign]] = {}

    async def named(self, ids: set[str]) -> Mapping[str, Campaign]:
        """The known ones of these. Raises Unavailable."""
        found = {}
        for campaign_id in ids:
            held = self._held.get(campaign_id)
            if held is None or self._monotonic() - held[0] >= FRESH_SECONDS:
                campaign = await self._desk.campaign(campaign_id)
                if campaign is None:
                    continue
                held = self._held[campaign_id] = (self._monotonic(), campaign)
            found[campaign_id] = held[1]
        return found


@dataclass(frozen=True, slots=True)
class Asking:
    """What asking needs: where rows are read and verdicts logged, the ground in force, campaigns, and the keys that sign permits."""

    gatehouse: Gatehouse
    current: Current
    campaigns: Campaigns
    permits: Ring = field(repr=False)

    async def ask(self, bodies: Sequence[Any], *, explain: bool, known: bool = True, began: float | None = None) -> list[dict[str, Any]]:
        """The answers in order. Raises Problem for bodies that cannot be read; an unreachable store is an answer, not an error.

        `known` is false where already the caller could not be looked up: then everything is denied without asking. `began`: when the
        request came, on the event loop's clock; from then on patience with the store is counted.
        """
        clock = asyncio.get_running_loop().time
        began = clock() if began is None else began
        ground, campaigns, known = await self._known(bodies, began, known=known)
        questions: list[Question] = []
        flaws: list[tuple[str, str]] = []
        for n, body in enumerate(bodies):
            if n % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            try:
                questions.append(_question(body, ground, campaigns, f"#/items/{n}"))
            except Problem as refused:
                flaws += refused.errors
        if flaws:
            raise invalid(*flaws)
        verdicts = await check(questions, gatehouse=self.gatehouse if known else None, ground=ground, waited=clock() - began)
        _count(verdicts)
        answers = []
        for n, (found, logged) in enumerate(verdicts):
            if n % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            answers.append(self.answer(found, logged, ground.catalogue, explain=explain))
        return answers

    async def ask_one(self, body: Any, *, explain: bool, known: bool = True, began: float | None = None) -> dict[str, Any]:
        """The answer to one question; see `ask`."""
        clock = asyncio.get_running_loop().time
        began = clock() if began is None else began
        ground, campaigns = self.current.held, _NO_CAMPAIGNS
        if not self.current.fresh or _campaign_in(body):
            ground, campaigns, known = await self._known([body], began, known=known)
        question = _question(body, ground, campaigns, "#")
        verdicts = await check([question], gatehouse=self.gatehouse if known else None, ground=ground, waited=clock() - began)
        [(found, logged)] = verdicts
        _kind(found, logged).inc()
        return self.answer(found, logged, ground.catalogue, explain=explain)

    async def _known(self, bodies: Sequence[Any], began: float, *, known: bool) -> tuple[Ground, Mapping[str, Campaign], bool]:
        """The ground in force, the campaigns named, and whether the store could be asked for them."""
        named = {name for body in bodies if not _has_category(body) for name in _campaign_in(body)}
        if self.current.fresh and not named:
            return self.current.held, _NO_CAMPAIGNS, known
        try:
            async with asyncio.timeout_at(began + self.gatehouse.patience):
                return await self.current.ground(), await self.campaigns.named(named), known
        except (Unavailable, TimeoutError):
            return self.current.held, _NO_CAMPAIGNS, False

    def answer(self, found: UUID | None, logged: Logged, catalogue: Catalogue, *, explain: bool) -> dict[str, Any]:
        """One answer as the wire shows it, with its permit where it allows."""
        permit = None
        if found is not None and logged.permit_until is not None:
            permit = sign_permit(self.permits, found, logged.channel, logged.category, expires_at=logged.permit_until)
        body = shown(str(found) if found else None, logged, catalogue, permit)
        return {**body, "explanation": explained(logged, catalogue)} if explain else body


_NO_CAMPAIGNS: Final[Mapping[str, Campaign]] = {}


def _kind(found: UUID | None, logged: Logged) -> Metric:
    return _ALLOWED if logged.verdict.allowed else _BLOCKED if found else _UNKNOWN


def _count(verdicts: Sequence[tuple[UUID | None, Logged]]) -> None:
    for kind, count in Counter([_kind(*verdict) for verdict in verdicts]).items():
        kind.inc(count)


def _question(body: Any, ground: Ground, campaigns: Mapping[str, Campaign], at: str) -> Question:
    return read_check(body, catalogue=ground.catalogue, campaigns=campaigns, countries=COUNTRIES, region=ground.default_country, at=at)


def _has_category(body: Any) -> bool:
    return isinstance(body, dict) and body.get("category") is not None


def _campaign_in(body: Any) -> set[str]:
    """The campaign a check has to be looked up for: only where nothing else says what it is about."""
    if not isinstance(body, dict) or _has_category(body) or body.get("message_type") is not None:
        return set()
    campaign = body.get("campaign_id")
    return (
        {campaign} if isinstance(campaign, str) and 0 < len(campaign) <= 255 and "\0" not in campaign and campaign.isprintable() else set()
    )


def batch_of(body: Any) -> list[Any]:
    """The checks of a batch, each over the defaults. Raises Problem."""
    if not isinstance(body, dict) or not isinstance(body.get("items"), list):
        raise invalid(("a batch is an object with a list of checks", "#/items"))
    if unknown := sorted(body.keys() - {"defaults", "items"}):
        raise invalid(*(("unknown field; known are defaults, items", f"#/{name}") for name in unknown))
    defaults, items = body.get("defaults", {}), body["items"]
    if not isinstance(defaults, dict):
        raise invalid(("defaults is an object of fields that every check takes over", "#/defaults"))
    if not 1 <= len(items) <= LARGEST:
        raise invalid((f"a batch has 1 to {LARGEST:,} checks; screen larger audiences with /api/v2/audience_checks", "#/items"))
    return [{**defaults, **item} if isinstance(item, dict) else item for item in items]
