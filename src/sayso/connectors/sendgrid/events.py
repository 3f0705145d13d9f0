"""What SendGrid's Signed Event Webhook tells: a JSON array of events, signed with ECDSA over time and raw bytes."""

import base64
import binascii

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from sayso.connectors.sendgrid.bounces import classify
from sayso.connectors.sendgrid.wire import Account
from sayso.contracts.answers import parsed, text
from sayso.contracts.connector import BadCall, BadSignature, Call, Heard, HeardKind, Settings, UnknownEvent
from sayso.rules.times import SECOND, from_seconds

WINDOW = 300
"""Seconds the header's time may differ from the moment of receipt, either way. The events' own times may be any age."""

_SIGNATURE = "x-twilio-email-event-webhook-signature"
_TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
_PLAIN: dict[str, HeardKind] = {
    "processed": "seen",
    "deferred": "seen",
    "delivered": "delivered",
    "open": "open",
    "click": "click",
    "spamreport": "complaint",
}
_KEPT = ("reason", "status", "type", "response", "attempt", "asm_group_id", "sg_message_id", "url", "ip", "useragent")
_DROPS: tuple[tuple[str, HeardKind], ...] = (
    ("bounced address", "hard_bounce"),
    ("spam reporting address", "complaint"),
    ("invalid smtpapi", "seen"),
    ("invalid", "hard_bounce"),
)


def hear(settings: Settings, call: Call) -> list[Heard]:
    """The facts in one call, in its order.

    Raises BadSignature, also when no key is set; BadCall for signed bytes that are no array; UnknownEvent when the array holds
    events nobody here knows: that carries the facts of the others, which must not be lost with them.
    """
    _prove(settings, call)
    account = Account.of(settings)
    events = parsed(call.body)
    if not isinstance(events, list):
        raise BadCall("the body is not a JSON array of events")
    heard: list[Heard] = []
    unknown: list[str] = []
    for event in events:
        fact = _fact(event, account) if isinstance(event, dict) else None
        if fact is None:
            unknown.append((text(event.get("event")) if isinstance(event, dict) else "")[:80] or "(no event name)")
        else:
            heard.append(fact)
    if unknown:
        raise UnknownEvent(unknown, heard)
    return heard


def public_key(settings: Settings) -> ec.EllipticCurvePublicKey:
    """The key that events are verified with: base64 of DER, with or without PEM lines. Raises BadSignature when there is none."""
    given = settings.text("webhook_public_key", "") if settings.values.get("webhook_public_key") else ""
    if not given:
        raise BadSignature("no webhook_public_key is set, so no call can be believed")
    plain = "".join(given.replace("-----BEGIN PUBLIC KEY-----", "").replace("-----END PUBLIC KEY-----", "").split())
    try:
        key = load_der_public_key(base64.b64decode(plain, validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        raise BadSignature("webhook_public_key cannot be read: copy the Verification Key of the Event Webhook") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadSignature("webhook_public_key is not an ECDSA key on P-256")
    return key


def _prove(settings: Settings, call: Call) -> None:
    key = public_key(settings)
    signature, moment = call.header(_SIGNATURE), call.header(_TIMESTAMP)
    if not signature or not moment:
        raise BadSignature("the call is not signed")
    if not (moment.isascii() and moment.isdigit() and len(moment) <= 12):
        raise BadSignature("the signed time is not a number of seconds")
    try:
        key.verify(base64.b64decode(signature, validate=True), moment.encode() + call.body, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        raise BadSignature("the signature does not fit the body") from None
    if abs(call.received_at - int(moment) * SECOND) > WINDOW * SECOND:
        raise BadSignature("the call was signed more than five minutes ago or ahead")


def _fact(event: dict[str, object], account: Account) -> Heard | None:
    """What one event says; None when its name is unknown or it is about nobody."""
    name, address = text(event.get("event")), text(event.get("email"))
    meaning = _meaning(name, event, account)
    if meaning is None or not address:
        return None
    kind, category, own, reason = meaning
    return Heard(
        kind=kind,
        channel="email",
        event_name=name,
        address=address,
        category=category,
        ts=_time(event.get("timestamp")),
        event_id=text(event.get("sg_event_id")) or None,
        own=own,
        reason=reason[:300],
        properties=tuple((key, text(event[key])[:500]) for key in _KEPT if text(event.get(key))),
    )


def _meaning(name: str, event: dict[str, object], account: Account) -> tuple[HeardKind, str, bool, str] | None:
    """Kind, category, whether the person acted, and why."""
    if name in _PLAIN:
        return _PLAIN[name], "*", name in ("open", "click", "spamreport"), ""
    if name == "unsubscribe":
        return "opt_out", "*", True, "unsubscribed"
    if name in ("group_unsubscribe", "group_resubscribe"):
        return _group(name, text(event.get("asm_group_id")), account)
    if name == "bounce":
        return *_bounced(event), False, text(event.get("reason"))
    if name == "dropped":
        said = text(event.get("reason")).lower()
        return next((kind for words, kind in _DROPS if said.startswith(words)), "seen"), "*", False, text(event.get("reason"))
    return None


def _group(name: str, group: str, account: Account) -> tuple[HeardKind, str, bool, str]:
    """A group nobody mapped stops all e-mail: the person left something, and nobody can say what. Coming back lifts no more than it names."""
    category = account.category_of(group)
    if name == "group_unsubscribe":
        if category is None:
            return "opt_out", "*", True, f"unsubscribed from group {group[:20]}, which is mapped to no one category: counts for all e-mail"
        return "opt_out", category, True, f"unsubscribed from group {group}"
    if category is None:
        return "seen", "*", True, f"resubscribed to group {group[:20]}, which is mapped to no one category: changes nothing"
    return "opt_in", category, True, f"resubscribed to group {group}"


def _bounced(event: dict[str, object]) -> tuple[HeardKind, str]:
    """SendGrid's own word (`bounce`: permanent, `blocked`: not now) unless the status says otherwise."""
    found = classify(text(event.get("status")), text(event.get("reason")))
    if found == "not_theirs":
        return "seen", "*"
    if text(event.get("type")) == "blocked" or found == "soft":
        return "soft_bounce", "*"
    return "hard_bounce", "*"


def _time(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return from_seconds(value)
    except (ValueError, OverflowError):
        return None
