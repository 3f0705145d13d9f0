"""Tells any HTTP endpoint how a subject stands now, signed as Standard Webhooks 1.0.0 says. It only speaks, it never hears."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

import msgspec

from sayso.contracts.answers import judged
from sayso.contracts.connector import (
    About,
    BadSettings,
    BadSignature,
    Call,
    Change,
    Flow,
    Health,
    Heard,
    Outcome,
    Pace,
    Page,
    Request,
    Response,
    Setting,
    Settings,
)
from sayso.rules.times import format_time

MAX_BODY = 20_000
"""Bytes of one delivery (the specification asks for less than 20 kB)."""

about = About(
    name="webhook",
    title="Webhook (Standard Webhooks)",
    channels=("*",),
    grain="contact",
    can_resubscribe=True,
    pace=Pace(per_second=2_000, concurrency=32),
    batch=1,
    settings=(
        Setting("url", "the https address that is told", required=True),
        Setting("secrets", "whsec_… secrets, the newest first; two while one is being replaced", required=True, secret=True),
        Setting("events", "the event types it wants; all when absent"),
        Setting("names", "of event.received: only the events with these names"),
        Setting("description", "a note for people"),
    ),
    docs="https://www.standardwebhooks.com/",
    states=(("2xx", "told"), ("410", "the endpoint is gone: stop"), ("anything else", "try again")),
    pulls=False,
    hears=False,
    by_document=True,
)


def check(settings: Settings) -> Flow[Health]:
    """Whether the settings can be used. Sends nothing: a test delivery is a change like any other."""
    settings.text("url")
    _keys(settings)
    return Health(True, "The settings are complete; send a test to see what the endpoint answers.")
    yield  # makes this a flow that asks for nothing


def push(settings: Settings, changes: Sequence[Change], now: int) -> Flow[list[Outcome]]:
    """One outcome per change; each change is one signed POST. `now` becomes the attempt's timestamp."""
    url, keys = settings.text("url"), _keys(settings)
    outcomes: list[Outcome] = []
    for change in changes:
        body = body_of(change)
        headers = (("content-type", "application/json"), *signed(keys, change.delivery_id, now // 1_000_000, body))
        outcomes.append(_told((yield Request("POST", url, headers, body))))
    return outcomes


def pull(settings: Settings, since: str | None, now: int) -> Flow[Page]:
    """An empty page: an endpoint holds nothing that could be asked for."""
    return Page((), since)
    yield  # makes this a flow that asks for nothing


def hear(settings: Settings, call: Call) -> list[Heard]:
    """Always refuses: a webhook endpoint has no way to sign what it would say."""
    raise BadSignature("a webhook connection only speaks; use the preferences API to tell the hub something")


def signed(keys: Sequence[bytes], delivery: str, seconds: int, body: bytes) -> tuple[tuple[str, str], ...]:
    """The three headers of Standard Webhooks over exactly these bytes, one signature per key.

    `seconds` is the time of the attempt. Raises ValueError for a delivery id with a full stop (the signed text is joined by them).
    """
    if "." in delivery or not delivery:
        raise ValueError("a delivery id is not empty and has no full stop")
    content = f"{delivery}.{seconds}.".encode() + body
    signatures = (base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode() for key in keys)
    return (
        ("webhook-id", delivery),
        ("webhook-timestamp", str(seconds)),
        ("webhook-signature", " ".join(f"v1,{signature}" for signature in signatures)),
    )


def body_of(change: Change) -> bytes:
    """The compact JSON of a delivery, at most 20,000 bytes.

    What does not fit is left out, the preferences first, then the difference, and named in `truncated`: who is told that
    something changed can still ask, who is told nothing cannot.
    """
    if change.event_type == "preferences.changed":
        data: dict[str, object] = {
            "contact_id": change.contact_id,
            "address": next(iter((*change.values("email"), *(one.value for one in change.addresses))), None),
            "version": change.version,
            "preferences": msgspec.Raw(change.document.encode()),
            "changed": msgspec.Raw(change.changed.encode()),
            "origin": change.origin,
            "checkpoint": change.checkpoint,
        }
    else:
        event = msgspec.json.decode(change.document)
        data = event if isinstance(event, dict) else {"event": event}
    left_out: list[str] = []
    body = _encoded(change, data)
    if len(body) <= MAX_BODY:
        return body
    for name in ("preferences", "changed", *sorted(data, key=lambda key: -len(repr(data[key])))):
        if len(body) <= MAX_BODY:
            break
        if data.get(name) is not None and name not in ("contact_id", "version"):
            left_out.append(name)
            data = {**data, name: None, "truncated": left_out}
            body = _encoded(change, data)
    return body


def _encoded(change: Change, data: dict[str, object]) -> bytes:
    document = {"type": change.event_type, "timestamp": format_time(change.occurred_at), "data": data}
    return msgspec.json.encode(document)


def _keys(settings: Settings) -> list[bytes]:
    """The signing keys, newest first; BadSettings unless each is 24 to 64 bytes in base64."""
    keys: list[bytes] = []
    for secret in settings.texts("secrets"):
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            raise BadSettings("secrets", "each is whsec_ and base64") from None
        if not 24 <= len(key) <= 64:
            raise BadSettings("secrets", "each holds 24 to 64 random bytes")
        keys.append(key)
    if not keys:
        raise BadSettings("secrets", "is missing: nothing is sent unsigned")
    return keys


def _told(response: Response) -> Outcome:
    """2xx applied; 410 gone for good; a redirect is refused; every other answer is worth another try."""
    outcome = judged(response)
    if outcome is None:
        return Outcome("applied", f"answered {response.status}")
    if response.status == 410:
        return Outcome("refused", "answered 410: the endpoint is gone", permanent=True)
    if response.status >= 400:
        return Outcome("later", f"answered {response.status}", retry_after=response.header("retry-after"))
    return outcome
