"""Reasons in plain words, for people who ask why something was stopped or sent."""

from typing import Final

from sayso.rules.catalogue import Catalogue
from sayso.rules.gate import Reason
from sayso.rules.times import format_time
from sayso.rules.words import ANY

HOW: Final = {
    "one_click": "by the unsubscribe button of a mail program",
    "email_link": "by the link in a message",
    "preference_center": "on the preference page",
    "double_opt_in": "by a confirmed sign-up",
    "support_request": "through support",
    "manual": "by an operator",
    "api": "by a connected program",
    "import": "by an import",
    "connection": "in a connected system",
}

_FIXED: Final = {
    "unknown_state": "Nobody can say what this person wants, so nothing may be sent.",
    "invalid_address": "This is not an address that anything can be sent to.",
    "channel_mismatch": "This address belongs to another channel.",
    "category_unknown": "No category of the catalogue fits this message.",
    "address_undeliverable": "This contact has no address on this channel.",
    "no_consent": "Nobody has agreed to this, and the rules of the place ask for consent.",
    "consent_expired": "The consent has run out.",
    "frequency_cap": "Enough was sent in this period already.",
    "transactional": "This message cannot be refused; it is always sent.",
    "allowed_by_regime": "Nobody objected, and the rules of the place allow it without consent.",
    "soft_opt_in": "An existing customer was told how to object and did not.",
}

_BLOCKED: Final = {
    "blacklisted": "Company policy blocks everything since {day}.",
    "hard_bounce": "The address does not exist: mail came back on {day}.",
    "soft_bounce_streak": "Mail came back too often, last on {day}.",
    "complaint": "The person reported mail as spam on {day}.",
    "carrier_stop": "The number was stopped at the carrier on {day}.",
}


def sentence(reason: Reason, catalogue: Catalogue) -> str:
    """One sentence that says why, with the day (UTC) and the way it was said where there is one."""
    day = format_time(reason.since)[:10] if reason.since is not None else "an unknown day"
    how = HOW.get(reason.src, "")
    match reason.code:
        case "global_opt_out":
            return _plain(f"{_everything(reason)} was stopped on {day} {how}")
        case "category_opted_out":
            return _plain(f"{title_of(reason, catalogue)} was stopped on {day} {how}")
        case "opted_in":
            return _plain(f"{title_of(reason, catalogue)} was agreed to on {day} {how}")
        case "paused":
            until = format_time(reason.until)[:10] if reason.until else "further notice"
            return f"Mail is paused until {until}."
    if reason.code in _BLOCKED:
        return _BLOCKED[reason.code].format(day=day)
    return _FIXED.get(reason.code, reason.code)


def title_of(reason: Reason, catalogue: Catalogue) -> str:
    """What a reason's category is called."""
    key = reason.scope.category if reason.scope else ""
    category = catalogue.get(key)
    return f"“{category.title}”" if category else f"“{key}”"


def _everything(reason: Reason) -> str:
    if reason.scope is None or reason.scope.channel == ANY:
        return "Everything"
    brand = "" if reason.scope.brand == ANY else f" of {reason.scope.brand}"
    return f"Everything by {reason.scope.channel}{brand}"


def _plain(text: str) -> str:
    return text.strip() + "."
