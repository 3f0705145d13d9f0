"""What a verdict rests on, record by record: the object that was consulted, its field, its id and its value (feature R1)."""

from dataclasses import dataclass
from typing import Final

from sayso.rules.catalogue import Catalogue
from sayso.rules.gate import Reason, Verdict
from sayso.rules.sentences import sentence
from sayso.rules.times import format_time


@dataclass(frozen=True, slots=True)
class Consulted:
    """One record that decided. `record` is the id of a ledger entry, or of the regime, or None where there is nothing to point at."""

    object: str
    field: str
    record: str | None
    value: str
    detail: str


_OBJECT: Final = {
    "blacklisted": "block", "hard_bounce": "block", "soft_bounce_streak": "block", "complaint": "block", "carrier_stop": "block",
    "global_opt_out": "choice", "category_opted_out": "choice", "opted_in": "choice", "paused": "pause",
    "no_consent": "regime", "allowed_by_regime": "regime", "soft_opt_in": "regime", "consent_expired": "choice", "frequency_cap": "cap",
    "transactional": "category", "category_unknown": "category", "address_undeliverable": "contact", "unknown_state": "contact",
    "invalid_address": "address", "channel_mismatch": "address",
}  # fmt: skip
_VALUE: Final = {"global_opt_out": "opted_out", "category_opted_out": "opted_out", "opted_in": "opted_in", "no_consent": "not_set"}


def consulted(verdict: Verdict, catalogue: Catalogue) -> tuple[Consulted, ...]:
    """The records a verdict rests on, in the gate's order."""
    return tuple(_one(reason, verdict, catalogue) for reason in verdict.reasons)


def _one(reason: Reason, verdict: Verdict, catalogue: Catalogue) -> Consulted:
    kind = _OBJECT[reason.code]
    scope = reason.scope
    field = f"{scope.brand}/{scope.channel}/{scope.category}" if scope else reason.code
    record = verdict.regime if kind == "regime" else reason.entry
    until = f" until {format_time(reason.until)}" if reason.until else ""
    return Consulted(kind, field, record, _VALUE.get(reason.code, reason.code) + until, sentence(reason, catalogue))
