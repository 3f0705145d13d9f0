"""What Mailchimp tells: its form webhooks, and the members that changed since a moment."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from urllib.parse import parse_qsl

from sayso.connectors.mailchimp.wire import Account, link
from sayso.contracts.answers import judged, parsed, rows, storable, table, text
from sayso.contracts.connector import (
    BadCall,
    BadSettings,
    BadSignature,
    Call,
    Flow,
    Heard,
    HeardKind,
    Outcome,
    Page,
    Settings,
    UnknownEvent,
)
from sayso.rules.times import SECOND, format_time, parse_time

WINDOW = 300
"""Seconds a signature stays good, either way."""

COUNT = 1_000
"""Members on one page (the vendor's limit)."""

OVERLAP = 60 * SECOND
"""How far the next pull reaches back: a list being written shifts under its pages, and doubles are harmless."""

_FIELDS = (
    "members.id,members.email_address,members.status,members.unsubscribe_reason,members.last_changed,members.timestamp_opt,total_items"
)


def hear(settings: Settings, call: Call) -> list[Heard]:
    """The facts in one webhook call.

    Mailchimp probes the address with GET and an empty POST: both say nothing and are answered so. Otherwise the call must prove
    itself: a signature header decides where there is one, else the secret in the address. Raises BadSignature, BadCall,
    UnknownEvent. Events about campaigns are about nobody and give no fact.
    """
    if call.method.upper() in ("GET", "HEAD") or not call.body:
        return []
    _prove(settings, call)
    fields = _form(call.body)
    name, address, ts = fields.get("type", ""), fields.get("data[email]", ""), _time(fields.get("fired_at", ""))
    event = hashlib.sha256(call.body).hexdigest()
    if name == "campaign":
        return []
    if name == "upemail":
        address = fields.get("data[new_email]", "")
    if name not in ("subscribe", "unsubscribe", "profile", "cleaned", "upemail"):
        raise UnknownEvent([name[:80] or "(no type)"]) if name else BadCall("the form has no field `type`")
    if not address:
        raise BadCall(f"{name} names no address")
    kind, reason, own = _meaning(name, fields)
    category = settings.text("category", "*") if kind in ("opt_out", "opt_in") else "*"
    known = ("data[list_id]", "data[campaign_id]", "data[action]", "data[reason]", "data[old_email]", "data[ip_opt]")
    properties = tuple((key[5:-1], fields[key][:500]) for key in known if fields.get(key))
    fact = Heard(
        kind=kind, channel="email", event_name=name, address=address, category=category, ts=ts, event_id=event, own=own,
        reason=reason, properties=properties,
    )  # fmt: skip
    return [fact]


def pull(settings: Settings, since: str | None, now: int) -> Flow[Page]:
    """One page of members that changed since the cursor, oldest first.

    The cursor moves by time, not by position: a member who changes moves to the end of the list, and pages counted by position
    would skip somebody else. Position only helps within one second.
    """
    account, place = Account.of(settings), _Place.read(since)
    query = [("fields", _FIELDS), ("sort_field", "last_changed"), ("sort_dir", "ASC"), ("count", str(COUNT)), ("offset", str(place.offset))]
    if place.since:
        query.append(("since_last_changed", format_time(place.since)))
    response = yield account.request("GET", link("lists", account.list_id, "members"), query=tuple(query))
    outcome = judged(response)
    document = table(parsed(response.body))
    if outcome is None and "members" not in document:
        outcome = Outcome("unknown", "answered 2xx with something that is not Mailchimp's list of members")
    if outcome is not None:
        return Page((), since, outcome=outcome)
    members = rows(document["members"])
    heard = tuple(fact for member in members if (fact := _held(member, account)) is not None)
    return Page(heard, place.after(members).written(), more=len(members) >= COUNT)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a pull stands: members changed after `since` (microseconds, 0 = all), `offset` of them already read."""

    since: int = 0
    offset: int = 0

    @staticmethod
    def read(cursor: str | None) -> "_Place":
        value = table(parsed((cursor or "{}").encode()))
        since, offset = value.get("since", 0), value.get("offset", 0)
        if not isinstance(since, int) or not isinstance(offset, int) or since < 0 or offset < 0:
            raise BadSettings("since", "is not a cursor of this connector")
        return _Place(since, offset)

    def after(self, members: list[dict[str, object]]) -> "_Place":
        last = max((_time(text(member.get("last_changed"))) or 0 for member in members), default=0)
        if len(members) < COUNT:
            return _Place(max(self.since, last - OVERLAP), 0)
        reached = last - SECOND
        return _Place(reached, 0) if reached > self.since else _Place(self.since, self.offset + len(members))

    def written(self) -> str:
        return json.dumps({"since": self.since, "offset": self.offset}, separators=(",", ":"))


def _held(member: dict[str, object], account: Account) -> Heard | None:
    """What one member's status says; None for one without an address."""
    address, status = text(member.get("email_address")), text(member.get("status"))
    changed, why = _time(text(member.get("last_changed"))), text(member.get("unsubscribe_reason"))[:300]
    kind: HeardKind = "seen"
    own = False
    if status == "unsubscribed":
        kind = "complaint" if "abuse" in why.lower() or "spam" in why.lower() else "opt_out"
        own = bool(why) and not why.upper().startswith("N/A (UNSUBSCRIBED BY")
    elif status == "cleaned":
        kind = "hard_bounce"
    elif status == "subscribed" and (opted := _time(text(member.get("timestamp_opt")))) is not None:
        kind, changed = "opt_in", opted
    if not address:
        return None
    category = account.category if account.category and kind in ("opt_out", "opt_in") else "*"
    stamp = f"{text(member.get('id')) or address.lower()}:{status}:{changed or 0}"
    return Heard(
        kind=kind, channel="email", event_name=f"member.{status or 'unknown'}", address=address, category=category, ts=changed,
        event_id=hashlib.sha256(stamp.encode()).hexdigest(), own=own, reason=why,
    )  # fmt: skip


def _meaning(name: str, fields: dict[str, str]) -> tuple[HeardKind, str, bool]:
    """Kind, reason and whether the person acted. A click in a campaign is theirs; a deletion is somebody else's."""
    why = fields.get("data[reason]", "")
    if name in ("unsubscribe", "cleaned") and why == "abuse":
        return "complaint", "reported as abuse", True
    if name == "unsubscribe":
        own = fields.get("data[action]") != "delete" and bool(fields.get("data[campaign_id]"))
        return "opt_out", f"Mailchimp: {fields.get('data[action]', 'unsub')[:40]}, {why[:80] or 'no reason given'}", own
    if name == "cleaned":
        return "hard_bounce", f"cleaned: {why[:80]}", False
    if name == "subscribe":
        return "opt_in", "Mailchimp: subscribe", False
    return "seen", "", False


def _prove(settings: Settings, call: Call) -> None:
    """Returns when the call is Mailchimp's; raises BadSignature otherwise, also when there is nothing to prove it with."""
    secret = settings.text("webhook_secret", "")
    signing = settings.text("signing_secret", "") or secret
    header = call.header("x-mailchimp-signature")
    if not signing:
        raise BadSignature("these settings have no webhook_secret, so no call can be believed: set one and add it to the address")
    if header is not None:
        _prove_signature(signing, header, call)
        return
    if settings.text("signing_secret", ""):
        raise BadSignature("the call is not signed although signing_secret is set")
    given = call.path_secret if call.path_secret is not None else dict(call.query).get("secret", "")
    if not hmac.compare_digest(given.encode(), secret.encode()):
        raise BadSignature("the secret in the address is missing or wrong")


def _prove_signature(secret: str, header: str, call: Call) -> None:
    parts = [part.strip().partition("=") for part in header[:2_000].split(",")]
    moments = [value for name, _, value in parts if name == "t"]
    if len(moments) != 1 or not (moments[0].isascii() and moments[0].isdigit() and len(moments[0]) <= 12):
        raise BadSignature("X-Mailchimp-Signature has no time")
    if abs(call.received_at // SECOND - int(moments[0])) > WINDOW:
        raise BadSignature("X-Mailchimp-Signature is older or newer than five minutes")
    expected = hmac.new(secret.encode(), moments[0].encode() + b"." + call.body, hashlib.sha256).hexdigest().encode()
    given = [value.lower().encode() for name, _, value in parts if name == "v1"]
    if not any(hmac.compare_digest(one, expected) for one in given):
        raise BadSignature(
            "X-Mailchimp-Signature does not fit the body; if the webhook has a signing secret of its own, set signing_secret"
        )


def _form(body: bytes) -> dict[str, str]:
    """The fields of the form; the first one of a name counts."""
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, strict_parsing=True, max_num_fields=500)
    except ValueError:
        raise BadCall("the body is not a form in UTF-8") from None
    return {name: storable(value) for name, value in reversed(pairs)}


def _time(words: str) -> int | None:
    """Mailchimp's times, which are UTC with or without saying so; None when it is none."""
    if not words:
        return None
    zoned = words if words[-1:] in ("Z", "z") or words[-6:-5] in ("+", "-") else f"{words}Z"
    try:
        return parse_time(zoned)
    except ValueError:
        return None
