"""Events: opt-outs, opt-ins, what happened to mail, and anything else (wire contract section 4)."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import AfterValidator, Field, JsonValue

from sayso.contracts.book import Book, Key
from sayso.contracts.ground import Ground
from sayso.flows.check import primary_of
from sayso.flows.record import Recorded, Said, record
from sayso.rules.happenings import ABOUT_ADDRESS, OPT_IN, PERSON_ACTED, InvalidEvent, Meaning, meaning_of
from sayso.rules.statements import Block, Choose, Told
from sayso.rules.subjects import InvalidAddress, parse_address
from sayso.rules.times import parse_time
from sayso.rules.words import ANY, channel_named
from sayso.web.api.wanted import Brand, Time
from sayso.web.auth import Caller, require
from sayso.web.describe import door
from sayso.web.errors import invalid
from sayso.web.hub import Hub, hub_of
from sayso.web.reading import Strict, address_key, contact_key, fingerprint, fitted, idempotency_key, one_brand, read_object, strict_query
from sayso.web.render import json_answer, json_bytes
from sayso.web.voices import voice_of

router = APIRouter(tags=["events"], dependencies=[Depends(strict_query)])
LARGEST: Final = 500


class EventIn(Strict):
    """One event. `channel.type` takes either vocabulary, any case."""

    event: str = Field(examples=["Opt Out"])
    channel: Annotated[str, AfterValidator(channel_named)] | None = Field(None, alias="channel.type", examples=["MAIL"])
    timestamp: Time | None = None
    properties: dict[str, JsonValue] = Field(default_factory=dict)


class EventsIn(Strict):
    """Events about one person: a contact by `id`, an address by `email`, or both, which then belong together."""

    id: str | None = None
    email: str | None = Field(None, max_length=2048)
    business_unit: Brand | None = None
    unit: Brand | None = Field(None, alias="businessUnit")
    events: list[EventIn] = Field(min_length=1, max_length=LARGEST)


_SENT: Final = {
    "id": "c-1001",
    "events": [
        {
            "event": "Opt Out",
            "channel.type": "MAIL",
            "timestamp": "2026-11-22T10:00:00Z",
            "properties": {"status": "opt out via hotline"},
        }
    ],
}
_GIVES: Final = {
    "results": [{"event": "Opt Out", "effect": "applied", "warning": None, "entries": ["019c0a5e-7b3a-7c21-9d55-0f3b6f1c2a41"]}]
}
_ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["results"],
    "properties": {
        "results": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "event": {"type": "string"},
                    "effect": {"type": "string", "enum": ["applied", "unchanged", "superseded", "stored", "refused"]},
                    "warning": {"type": ["string", "null"]},
                    "entries": {"type": "array", "items": {"type": "string"}},
                },
            },
        }
    },
}
_DOOR: Final[dict[str, Any]] = {
    "scopes": ("events",), "body": EventsIn, "sent": _SENT, "answer": _ANSWER, "gives": _GIVES, "problems": ("idempotency_mismatch",),
}  # fmt: skip


@router.post("/events", **door("Send events", **_DOOR))
@router.post("/api/v2/events", **door("Send events (same as /events)", **_DOOR))
async def take_events(request: Request, caller: Annotated[Caller, require("events")]) -> Response:
    """Each event is recorded by itself, in order. `Opt Out` and `Opt In` without a channel are stored and change no status."""
    hub = hub_of(request)
    body = await read_object(request)
    given = fitted(EventsIn, body)
    ground = await hub.current.ground()
    brand = one_brand(given.business_unit, given.unit, "#") or ANY
    if given.id is None and given.email is None:
        raise invalid(("name a contact by id, or an address by email", "#/id"))
    contact = contact_key(given.id, "#/id") if given.id is not None else None
    address = address_key("email", given.email, ground.default_country, "#/email")[1] if given.email is not None else None
    meanings = _meanings(given, brand)
    name, print_ = idempotency_key(request), fingerprint(request, body)
    results = []
    for n, (event, meaning) in enumerate(zip(given.events, meanings, strict=True)):
        at, warning = address, meaning.warning
        if event.event in ABOUT_ADDRESS and at is None and contact is not None:
            at = await _primary(contact, hub.book, ground)
            warning = warning or ("" if at else "No e-mail address of this contact is known; it was kept with the contact.")
        said = _said(event, meaning, contact, at, linked=address is not None, caller=caller)
        repeat = (f"{name}#{n}", print_) if name else None
        results.append(await _taken(said, event.event, warning, repeat, hub, ground, caller))
    return json_answer({"results": results})


def _meanings(given: EventsIn, brand: str) -> list[Meaning]:
    """What each event means; nothing is recorded unless all of them mean something."""
    found, errors = [], []
    for n, event in enumerate(given.events):
        try:
            found.append(meaning_of(event.event, event.channel, brand, event.properties))
        except InvalidEvent as error:
            errors.append((error.detail, f"#/events/{n}/{error.part}"))
    if errors:
        raise invalid(*errors)
    return found


async def _primary(contact: Key, book: Book, ground: Ground) -> Key | None:
    """The contact's main e-mail address, which events about mail mean; None when none is known."""
    row = (await book.read([contact])).known(contact)
    sub = primary_of(row, "email") if row else None
    name = (await book.names([sub])).get(sub) if sub else None
    if name is None:
        return None
    try:
        found = parse_address("email", name, default_region=ground.default_country)
    except InvalidAddress:
        return None
    return Key(found.kind, found.value, found.given)


def _said(event: EventIn, meaning: Meaning, contact: Key | None, address: Key | None, *, linked: bool, caller: Caller) -> Said:
    acted = event.event in PERSON_ACTED
    voice = voice_of(caller, "email_link" if acted else "api", outright=event.event == OPT_IN)
    told = event.properties.get("reason", event.properties.get("status"))
    personal: Mapping[str, Any] = {
        "properties": event.properties or None, "reason": told if isinstance(told, str) else None, "channel": event.channel,
    }  # fmt: skip
    ties = ((address, False),) if contact and address and linked else ()
    given_ts = parse_time(event.timestamp) if event.timestamp else None
    return Said(voice, meaning.words, contact, address, ties, given_ts, personal)


async def _taken(
    said: Said, name: str, warning: str, repeat: tuple[str, bytes] | None, hub: Hub, ground: Ground, caller: Caller
) -> dict[str, Any]:
    def render(done: Recorded) -> tuple[int, bytes]:
        return 200, json_bytes(_result(name, warning, done))

    memo = (caller.client_id, *repeat, render) if repeat else None
    done = await record(said, book=hub.book, ground=ground, memo=memo)
    if done.replayed is not None:
        held: dict[str, Any] = json.loads(done.replayed[1])
        return held
    return _result(name, warning, done)


def _result(name: str, warning: str, done: Recorded) -> dict[str, Any]:
    told = done.ruling.told if done.ruling else ()
    effect = _effect(told)
    if effect == "quarantined":
        # Section 4 knows no such effect for events: an opt-in from the future was kept, and refused.
        effect, warning = "refused", "The opt-in's timestamp lies in the future: it was kept, and does not count."
    elif effect == "superseded" and not warning:
        rule = next((one.rule for one in told if isinstance(one.word, Choose) and one.rule), "newer_statement_stands")
        warning = f"It was kept, and another statement decides: {rule}."
    entries = [entry.id for entry in done.ruling.entries] if done.ruling else []
    return {"event": name, "effect": effect, "warning": warning or None, "entries": entries}


def _effect(told: tuple[Told, ...]) -> str:
    for kind in (Choose, Block):
        found = [one.effect for one in told if isinstance(one.word, kind)]
        if found:
            return found[-1]
    return "stored"
