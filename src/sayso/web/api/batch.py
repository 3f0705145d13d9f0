"""Preferences of many contacts in one call (wire contract section 3): each item succeeds or fails by itself."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response

from sayso.contracts.book import Key
from sayso.flows.record import Recorded, record_all
from sayso.web import errors
from sayso.web.api.preferences import EXAMPLE_WRITTEN, WRITERS, WRITTEN, Writer, body_schema
from sayso.web.api.saying import Answered, Repeat, Saying, answered, saying
from sayso.web.auth import Caller
from sayso.web.describe import PROBLEM, door
from sayso.web.errors import invalid
from sayso.web.hub import Hub, hub_of
from sayso.web.reading import contact_key, escaped, fingerprint, idempotency_key, read_object, strict_query
from sayso.web.render import json_bytes

router = APIRouter(tags=["preferences"], dependencies=[Depends(strict_query)])
LARGEST: Final = 1_000
PART: Final = 250
"""Items kept together: while the database writes some, the next are read and those before are answered."""
BREATH: Final = 20
"""Items read or answered at a stretch: whoever asks for a single check must not wait until a thousand are read."""

_ITEM: Final = body_schema()
_BODY: Final = {
    "type": "object",
    "required": ["items"],
    "additionalProperties": False,
    "properties": {
        "items": {
            "type": "array",
            "maxItems": LARGEST,
            "items": {**_ITEM, "required": ["contact_id"], "properties": {**_ITEM["properties"], "contact_id": {"type": "string"}}},
        }
    },
}
_ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["items"],
    "properties": {"items": {"type": "array", "items": {"oneOf": [WRITTEN, PROBLEM]}}},
}
_SENT: Final = {"items": [{"contact_id": "c-1001", "email_pref_promotional": "opted_out"}, {"contact_id": "c-1002", "paused_until": None}]}
_GIVES: Final = {"items": [{**EXAMPLE_WRITTEN, "status": 200}]}
_MIXED: Final[dict[int | str, dict[str, Any]]] = {
    207: {"description": "Some items failed; each has its `status`.", "content": {"application/json": {"schema": _ANSWER}}}
}


@router.post(
    "/api/v2/email_preferences:batch",
    **door("Set the preferences of many contacts", scopes=WRITERS, body=_BODY, sent=_SENT, answer=_ANSWER, gives=_GIVES, more=_MIXED),
)
async def write_many(request: Request, caller: Writer) -> Response:
    """Up to 1,000 contacts; the answers stand in the same order. 200 if all succeeded, else 207 with a status an item."""
    hub = hub_of(request)
    body = await read_object(request)
    items = body.get("items")
    if unknown := [name for name in body if name != "items"]:
        raise invalid(*(("unknown field", f"#/{escaped(name)}") for name in unknown))
    if not isinstance(items, list) or len(items) > LARGEST:
        raise invalid((f"a list of at most {LARGEST:,} items is needed", "#/items"))
    if request.headers.get("if-match") is not None:
        raise invalid(("a batch has no version of its own to match", "header/If-Match"))
    name, print_ = idempotency_key(request), fingerprint(request, body)
    repeats = [Repeat(f"{name}#{n}", print_) if name else None for n in range(len(items))]
    answers = await _in_turn(items, repeats, hub, caller, str(request.state.request_id))
    status = 200 if all(became == 200 for became, _ in answers) else 207
    answer = b'{"items":[' + b",".join(said for _, said in answers) + b"]}"
    return Response(answer, status, {"Cache-Control": "no-store"}, media_type="application/json")


Item = tuple[int, bytes]
"""What became of an item: its status and its JSON."""


async def _in_turn(items: list[Any], repeats: list[Repeat | None], hub: Hub, caller: Caller, request_id: str) -> list[Item]:
    """Items about different contacts at the same time, those about one contact or address in their order."""
    batch = _Batch(items, repeats, hub, caller, request_id)
    for wave in _waves(items):
        await batch.keep(wave)
    return [batch.answers[n] for n in range(len(items))]


@dataclass(frozen=True, slots=True)
class _Batch:
    """One call's items, and what became of them so far by place. Every item answers for itself."""

    items: list[Any]
    repeats: list[Repeat | None]
    hub: Hub
    caller: Caller
    request_id: str
    answers: dict[int, Item] = field(default_factory=dict)

    async def keep(self, wave: list[int]) -> None:
        """Keeps items about different people: while the database writes some, the next are read."""
        parts = []
        async with asyncio.TaskGroup() as keeping:
            for at in range(0, len(wave), PART):
                ready = await self.read(wave[at : at + PART])
                acts = [(one.said, one.ground, one.memo) for one in ready.values()]
                parts.append((ready, keeping.create_task(record_all(acts, book=self.hub.book))))
            for ready, kept in parts:
                await self.answer(ready, await kept)

    async def read(self, places: list[int]) -> dict[int, Saying]:
        """What these items want; those that want something wrong are answered."""
        ready: dict[int, Saying] = {}
        for place, n in enumerate(places):
            if place % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            item, at = self.items[n], f"#/items/{n}"
            try:
                body = _without_id(item, n)
                ready[n] = await saying(body, _key(item, n), hub=self.hub, caller=self.caller, repeat=self.repeats[n], at=at)
            except Exception as refusal:  # noqa: BLE001 - an item that cannot be read is answered alone, the others go on
                self.answers[n] = self.refused(item, refusal)
        return ready

    async def answer(self, ready: dict[int, Saying], done: list[Recorded | Exception]) -> None:
        """Answers items that were recorded."""
        for place, ((n, one), became) in enumerate(zip(ready.items(), done, strict=True)):
            if place % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            try:
                self.answers[n] = self.refused(self.items[n], became) if isinstance(became, Exception) else _told(answered(one, became))
            except Exception as failed:  # noqa: BLE001 - an item that cannot be answered keeps no other from its answer
                self.answers[n] = self.refused(self.items[n], failed)

    def refused(self, item: Any, refusal: Exception) -> Item:
        """The problem of one item."""
        problem = errors.body_of(errors.from_exception(refusal), base=self.hub.public_url, request_id=self.request_id)
        contact_id = item.get("contact_id") if isinstance(item, dict) else None
        return int(problem["status"]), json_bytes({"contact_id": contact_id, **problem})


def _waves(items: list[Any]) -> list[list[int]]:
    """The places of the items, each behind those before it that touch the same people."""
    waves: list[list[int]] = []
    last: dict[str, int] = {}
    for n, item in enumerate(items):
        names = _subjects(item)
        wave = max([last[name] + 1 for name in names if name in last], default=0)
        last.update(dict.fromkeys(names, wave))
        if wave == len(waves):
            waves.append([])
        waves[wave].append(n)
    return waves


def _subjects(item: Any) -> set[str]:
    """Texts that name whom an item touches; equal texts wait for each other."""
    if not isinstance(item, dict):
        return set()
    addresses = item.get("addresses")
    listed = [one.get("address") for one in addresses if isinstance(one, dict)] if isinstance(addresses, list) else []
    return {value.strip().lower() for value in (item.get("contact_id"), item.get("email"), *listed) if isinstance(value, str)}


def _key(item: Mapping[str, Any], n: int) -> Key:
    contact_id = item.get("contact_id")
    if not isinstance(contact_id, str):
        raise invalid(("contact_id is needed, as text", f"#/items/{n}/contact_id"))
    return contact_key(contact_id, f"#/items/{n}/contact_id")


def _without_id(item: Any, n: int) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise invalid(("an item is an object", f"#/items/{n}"))
    return {name: value for name, value in item.items() if name != "contact_id"}


def _told(found: Answered) -> Item:
    """The answer of a single call, which is an object, with its status as one more member."""
    return found.status, b'%b,"status":%d}' % (found.body[:-1], found.status)
