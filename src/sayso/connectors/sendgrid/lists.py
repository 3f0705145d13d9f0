"""What SendGrid's suppression lists hold since a moment, one list and one page after the other."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from sayso.connectors.sendgrid.bounces import classify
from sayso.connectors.sendgrid.wire import Account
from sayso.contracts.answers import judged, parsed, rows, table, text
from sayso.contracts.connector import BadSettings, Flow, Heard, HeardKind, Outcome, Page, Settings
from sayso.rules.times import SECOND, from_seconds

LIMIT = 500
"""Rows on one page (the vendor's limit)."""

OVERLAP = 300
"""Seconds the next pull reaches back; doubles are harmless."""

LISTS = ("unsubscribes", "spam_reports", "bounces", "invalid_emails", "groups")


def pull(settings: Settings, since: str | None, now: int) -> Flow[Page]:
    """One page of one list; the cursor says which. A whole round ends with a cursor that starts the next one.

    The lists are asked for what was created since the last round began. SendGrid gives all groups' rows at once, without a
    filter: those are cut by their own time here.
    """
    account, place = Account.of(settings), _Place.read(since, now)
    name = LISTS[place.list]
    if name == "groups":
        response = yield account.request("GET", "/v3/asm/suppressions")
    else:
        query = (("start_time", str(place.since)), ("limit", str(LIMIT)), ("offset", str(place.offset)))
        response = yield account.request("GET", f"/v3/suppression/{name}", query=query)
    outcome = judged(response)
    document = parsed(response.body)
    if outcome is None and not isinstance(document, list):
        outcome = Outcome("unknown", "answered 2xx with something that is not a SendGrid list")
    if outcome is not None:
        return Page((), since, outcome=outcome)
    found = rows(document)
    heard = tuple(_facts(name, found, account, place.since))
    following = place.after(len(found) if name != "groups" else 0)
    return Page(heard, following.written(), more=following.list > 0 or following.offset > 0)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a round stands: list and offset; it began at `began`, and asks for what is newer than `since` (seconds)."""

    since: int
    began: int
    list: int = 0
    offset: int = 0

    @staticmethod
    def read(cursor: str | None, now: int) -> "_Place":
        value = table(parsed((cursor or "{}").encode()))
        numbers = [value.get("since", 0), value.get("began", 0), value.get("list", 0), value.get("offset", 0)]
        since, began, at, offset = (number if isinstance(number, int) else -1 for number in numbers)
        if min(since, began, at, offset) < 0 or at >= len(LISTS):
            raise BadSettings("since", "is not a cursor of this connector")
        # the moment a round begins is kept over its pages, so that what happens meanwhile is asked for in the next one
        return _Place(since, began if at or offset else now // SECOND, at, offset)

    def after(self, count: int) -> "_Place":
        if count >= LIMIT:
            return _Place(self.since, self.began, self.list, self.offset + count)
        if self.list + 1 < len(LISTS):
            return _Place(self.since, self.began, self.list + 1, 0)
        return _Place(max(self.since, self.began - OVERLAP), 0)

    def written(self) -> str:
        fields = {"since": self.since, "began": self.began, "list": self.list, "offset": self.offset}
        return json.dumps(fields, separators=(",", ":"))


def _facts(name: str, found: Iterable[dict[str, object]], account: Account, since: int) -> Iterable[Heard]:
    for row in found:
        created = row.get("created_at") if name == "groups" else row.get("created")
        seconds = created if isinstance(created, int) and not isinstance(created, bool) else None
        address = text(row.get("email"))
        if not address or (name == "groups" and seconds is not None and seconds < since):
            continue
        kind, category, reason = _meaning(name, row, account)
        stamp = f"{name}:{text(row.get('group_id'))}:{address.lower()}:{seconds}"
        yield Heard(
            kind=kind,
            channel="email",
            event_name=f"suppression.{name}",
            address=address,
            category=category,
            ts=_time(seconds),
            event_id=hashlib.sha256(stamp.encode()).hexdigest(),
            reason=reason[:300],
            properties=tuple((key, text(row[key])[:500]) for key in ("status", "ip", "group_name") if text(row.get(key))),
        )


def _meaning(name: str, row: dict[str, object], account: Account) -> tuple[HeardKind, str, str]:
    reason = text(row.get("reason"))
    if name == "unsubscribes":
        return "opt_out", "*", "on the account-wide unsubscribe list"
    if name == "spam_reports":
        return "complaint", "*", "on the list of spam reports"
    if name == "invalid_emails":
        return "hard_bounce", "*", reason or "on the list of invalid addresses"
    if name == "bounces":
        kinds: dict[str, HeardKind] = {"soft": "soft_bounce", "not_theirs": "seen"}
        return kinds.get(classify(text(row.get("status")), reason), "hard_bounce"), "*", reason
    group = text(row.get("group_id"))
    category = account.category_of(group)
    if category is None:
        return "opt_out", "*", f"in group {group[:20]}, which is mapped to no one category: counts for all e-mail"
    return "opt_out", category, f"in group {group}"


def _time(seconds: int | None) -> int | None:
    try:
        return None if seconds is None else from_seconds(seconds)
    except (ValueError, OverflowError):
        return None
