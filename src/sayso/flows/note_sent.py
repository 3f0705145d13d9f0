"""Note sent: what was sent to whom, with the verdict that allowed it, or the violation that it was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from sayso.contracts.book import Book, Key, Page
from sayso.contracts.ground import Ground
from sayso.contracts.messages import Asked, Near, Sending, Sent
from sayso.flows.meet import meet
from sayso.flows.show import blockers
from sayso.rules import sends
from sayso.rules.sends import Send, Shown
from sayso.rules.statements import Row
from sayso.rules.tokens import Ring
from sayso.rules.words import Scope

EVEN_TRANSACTIONAL: Final = frozenset({"blacklisted", "hard_bounce", "carrier_stop"})
"""What stops mail that nobody can refuse (wire contract section 5)."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a sender tells of one message: to whom, what, and by which permit ("" for none). `refusable` says whether people may say no."""

    contact: Key | None
    address: Key | None
    send: Send
    refusable: bool
    subject: str = field(default="", repr=False)
    campaign: str = ""
    message: str = ""
    permit: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class _Case:
    """One message with what is known of its people: those named, those a check of them may have been about, and its permit."""

    told: Told
    named: tuple[str, ...]
    near: tuple[str, ...]
    shown: Shown | None


async def note_sent(told: Sequence[Told], *, book: Book, sent: Sent, permits: Ring, ground: Ground) -> list[Sending]:
    """What is held of each message, in order; one told again (same person, same message id) is held as it was first told.

    A message is allowed by its own permit, or by the newest verdict on this person, channel and category in the minute before it. Reads
    and judges only; nothing that a sender tells here changes what may be sent. Raises Unavailable.
    """
    page = await meet((key for one in told for key in (one.contact, one.address)), book=book, ground=ground)
    cases = [_case(one, page, permits) for one in told]
    permitted = await _by_permit(cases, sent)
    left = [n for n, (code, _) in enumerate(permitted) if code]
    found = dict(zip(left, await sent.nearest([_near(cases[n]) for n in left]), strict=True)) if left else {}
    sendings = []
    for n, case in enumerate(cases):
        code, check = permitted[n]
        if code:
            code, check = _otherwise(case, code, check, found[n], page, ground.window)
        one, send = case.told, case.told.send
        sendings.append(
            Sending(
                case.named[0], send.at, send.channel, send.category, send.brand, one.subject, one.campaign, one.message, check, code,
            )
        )  # fmt: skip
    return await sent.keep(sendings, ground.clock())


def _case(told: Told, page: Page, permits: Ring) -> _Case:
    named = tuple(page.keys[key] for key in (told.contact, told.address) if key is not None)
    near = dict.fromkeys([*named, *(sub for one in named for sub in page.rows[one].state.links)])
    return _Case(told, named, tuple(near), sends.shown_permit(permits, told.permit) if told.permit else None)


async def _by_permit(cases: Sequence[_Case], sent: Sent) -> list[tuple[str, UUID | None]]:
    """What each message's own permit is worth, and the check behind it; ("no_permit", None) where it has none."""
    permits = {n: case.shown.permit for n, case in enumerate(cases) if case.shown and case.shown.permit}
    asked = await sent.verdicts([permit.check for permit in permits.values()]) if permits else {}
    unknown = {sub for n, permit in permits.items() if permit.check in asked and not asked[permit.check].sub for sub in cases[n].named}
    words = await sent.first_words(sorted(unknown)) if unknown else {}
    found: list[tuple[str, UUID | None]] = []
    for n, case in enumerate(cases):
        permit = permits.get(n)
        if permit is None:
            found.append(("permit_invalid" if case.shown else "no_permit", None))
            continue
        verdict = asked.get(permit.check)
        same = verdict is not None and _same_person(verdict, case, words)
        code = sends.by_permit(case.told.send, permit, verdict.logged if verdict else None, same_person=same)
        found.append((code, permit.check if verdict and same else None))
    return found


def _same_person(asked: Asked, case: _Case, words: Mapping[str, int]) -> bool:
    """Whether a check was about the people of a message; one about somebody unknown fits whoever was unknown when it was answered."""
    if asked.sub:
        return asked.sub in case.near
    return all(words.get(sub, asked.logged.at + 1) > asked.logged.at for sub in case.named)


def _near(case: _Case) -> Near:
    send = case.told.send
    return Near(case.near, send.channel, send.category, send.brand, send.at - sends.WINDOW, send.at + sends.CLOCKS_DIFFER)


def _otherwise(case: _Case, code: str, check: UUID | None, nearest: Asked | None, page: Page, window: int) -> tuple[str, UUID | None]:
    """The code and the check of a message that its own permit does not cover."""
    by_verdict = sends.by_verdict(nearest.logged if nearest else None)
    if not by_verdict:
        assert nearest is not None  # no verdict, no permission
        return "", nearest.check
    check = nearest.check if nearest else check
    if _refused(case, page, window):
        return "sent_against_choice", check
    return by_verdict if nearest or not case.shown else code, check


def _refused(case: _Case, page: Page, window: int) -> bool:
    """Whether somebody had said no, or a block stood, when the message was sent: as far as it still stands now."""
    send = case.told.send
    scope = Scope(send.brand, send.channel, send.category)

    def stops(row: Row) -> bool:
        found = blockers(row, page.linked(row), scope, now=send.at, window=window)
        return any(one.since <= send.at and (case.told.refusable or one.code in EVEN_TRANSACTIONAL) for one in found)

    return any(stops(page.rows[sub]) for sub in case.named)
