"""The answer to a pre-send check: as it is logged (codes and entry ids, no names) and as the wire shows it (contract section 5)."""

import hashlib
from typing import Any, Final

import msgspec

from sayso.rules.catalogue import Catalogue
from sayso.rules.gate import Reason, Verdict
from sayso.rules.law import RULEBOOK
from sayso.rules.sentences import sentence
from sayso.rules.times import format_time
from sayso.rules.values import Value
from sayso.rules.words import Scope

RULES: Final = (
    ("state", ("unknown_state",)),
    ("question", ("invalid_address", "channel_mismatch", "category_unknown")),
    ("blacklist", ("blacklisted",)),
    ("address", ("address_undeliverable", "hard_bounce", "carrier_stop")),
    ("transactional", ("transactional",)),
    ("soft blocks", ("complaint", "soft_bounce_streak")),
    ("global and channel opt-outs", ("global_opt_out",)),
    ("category", ("category_opted_out",)),
    ("pause", ("paused",)),
    ("legal basis", ("no_consent", "consent_expired", "opted_in", "allowed_by_regime", "soft_opt_in")),
    ("frequency cap", ("frequency_cap",)),
)
"""Every rule in the order it is judged, with the codes it can give."""


class Logged(Value, frozen=True):
    """A verdict with what it was asked about. `permit_until` is the end of the permit's life, None without one.

    `message` is a hash of the sender's id (`message_mark`): senders make such ids of whatever they have, of addresses too.
    """

    verdict: Verdict
    channel: str
    category: str
    at: int
    brand: str = ""
    campaign: str = ""
    message: str = ""
    sender: str = ""
    permit_until: int | None = None


def message_mark(message: str) -> str:
    """What stands for a sender's message id in the log of verdicts; "" for none."""
    return hashlib.sha256(f"sayso/message/1\0{message}".encode()).hexdigest()[:32] if message else ""


def to_log(logged: Logged) -> bytes:
    """Canonical JSON for the verdict table; `from_log` reads it back."""
    verdict = logged.verdict
    reasons = [(r.code, r.scope, r.since, r.entry, r.src, r.until) for r in verdict.reasons]
    asked = [logged.channel, logged.category, logged.brand, logged.campaign, logged.message, logged.sender]
    row = [
        int(verdict.allowed),
        reasons,
        verdict.regime,
        verdict.version,
        verdict.retry_at,
        logged.at,
        logged.permit_until,
        asked,
        RULEBOOK,
    ]
    return _WRITER.encode(row)


_WRITER: Final = msgspec.json.Encoder()
_READER: Final = msgspec.json.Decoder()


def from_log(raw: bytes) -> Logged:
    """The verdict that `to_log` wrote. Raises ValueError on anything else."""
    allowed, reasons, regime, version, retry_at, at, permit_until, asked, _ = _READER.decode(raw)
    read = tuple(Reason(code, Scope(*s) if s else None, since, entry, src, until) for code, s, since, entry, src, until in reasons)
    channel, category, brand, campaign, message, sender = asked
    verdict = Verdict(bool(allowed), read, regime, version, retry_at)
    return Logged(verdict, channel, category, at, brand, campaign, message, sender, permit_until)


def shown(check: str | None, logged: Logged, catalogue: Catalogue, permit: str | None) -> dict[str, Any]:
    """The answer as the wire shows it; `check` None says that it could not be logged."""
    verdict = logged.verdict
    return {
        "id": f"chk_{check}" if check else None,
        "allowed": verdict.allowed,
        "decision": "allow" if verdict.allowed else "block",
        "reasons": [_reason(reason, catalogue) for reason in verdict.reasons],
        "permit": permit,
        "rulebook": RULEBOOK,
        "regime": verdict.regime,
        "version": verdict.version,
        "checked_at": format_time(logged.at),
        "retry_after": format_time(verdict.retry_at) if verdict.retry_at else None,
    }


def _reason(reason: Reason, catalogue: Catalogue) -> dict[str, Any]:
    scope = reason.scope
    return {
        "code": reason.code,
        "detail": sentence(reason, catalogue),
        "scope": {"brand": scope.brand, "channel": scope.channel, "category": scope.category} if scope else None,
        "since": format_time(reason.since) if reason.since is not None else None,
        "entry": reason.entry,
    }


def explained(logged: Logged, catalogue: Catalogue) -> list[dict[str, Any]]:
    """Every rule in order, with its input and outcome: stops, allows, passes, or not asked because transactional mail passes it."""
    reasons = logged.verdict.reasons
    passes_rest = any(reason.code == "transactional" for reason in reasons)
    rows: list[dict[str, Any]] = []
    skipped = False
    for rule, codes in RULES:
        found = [reason for reason in reasons if reason.code in codes]
        outcome = "not asked" if skipped else "passes"
        if found:
            outcome = "allows" if logged.verdict.allowed else "stops"
        rows.append({"rule": rule, "outcome": outcome, "input": [_reason(reason, catalogue) for reason in found]})
        skipped = skipped or (passes_rest and rule == "transactional")
    return rows
