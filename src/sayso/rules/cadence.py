"""Cadence: how much may be sent to one person in a period, over all senders. A cap limits even those who agreed (features I8, S6)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sayso.rules.caps import Cap
from sayso.rules.gate import Ask, Reason, Verdict
from sayso.rules.values import altered
from sayso.rules.words import ANY, Scope


@dataclass(frozen=True, slots=True)
class Spent:
    """One message that was sent to a person, or promised to a sender: when (microseconds) and as what."""

    at: int
    scope: Scope


def caps_on(caps: Iterable[Cap], ask: Ask) -> tuple[Cap, ...]:
    """The caps that a message falls under; mail that cannot be refused falls under none. One without a brand falls under every brand's."""
    if ask.category is None or not ask.category.refusable:
        return ()
    key = ask.category.key
    return tuple(cap for cap in caps if cap.scope.covers(Scope(ask.brand or cap.scope.brand, ask.channel, key)))


def reached(caps: Iterable[Cap], spent: Sequence[Spent], now: int) -> Reason | None:
    """The reason why one more message is too many, with the time from which it no longer is; None while every cap has room.

    A period ends exactly `period` after a message: at that microsecond it counts no more.
    """
    full: list[Reason] = []
    for cap in caps:
        counted = sorted(one.at for one in spent if one.at > now - cap.period and _counts(one.scope, cap.scope))
        if len(counted) >= cap.messages:
            again = counted[len(counted) - cap.messages] + cap.period
            full.append(Reason("frequency_cap", cap.scope, until=again))
    return max(full, key=lambda reason: reason.until or 0, default=None)


def _counts(sent: Scope, cap: Scope) -> bool:
    """Whether a message counts for a cap; one without a brand counts for every brand's."""
    return cap.covers(Scope(cap.brand, sent.channel, sent.category) if sent.brand == ANY else sent)


def limited(verdict: Verdict, full: Reason | None) -> Verdict:
    """The verdict with a full cap among its reasons; `retry_at` tells when it could be allowed, where only time stands in the way."""
    if full is None:
        return verdict
    if verdict.allowed:
        return altered(verdict, allowed=False, reasons=(full,), retry_at=full.until)
    retry = max(verdict.retry_at, full.until or 0) if verdict.retry_at is not None else None
    return altered(verdict, reasons=(*verdict.reasons, full), retry_at=retry)
