"""Ask whether it was meant: puts one letter to each person of an offered burst, with the way back to just before that opt-out."""

from collections.abc import Mapping, Sequence
from typing import Final

from sayso.contracts.book import Book
from sayso.contracts.bursts import Bursts, Member, Waiting
from sayso.contracts.ground import Ground
from sayso.contracts.letters import Changed, Letters, Offer
from sayso.rules.statements import Row
from sayso.rules.subjects import CONTACT
from sayso.rules.times import DAY
from sayso.rules.words import Scope

TOGETHER: Final = 50
"""People that one round asks."""
OPEN_FOR: Final = 30 * DAY
"""How long the way back is open: people read such mail after their holidays."""


async def ask_meant(*, bursts: Bursts, letters: Letters, book: Book, ground: Ground) -> bool:
    """Whether more people wait to be asked.

    Whoever said something newer about all of it, or was erased, is not asked. A crash between letter and note asks nobody twice: a
    letter is put once. Raises Unavailable.
    """
    waiting = await bursts.to_ask(TOGETHER)
    for one in waiting:
        asked = False
        for offer in await _offers(one, book):
            once = f"offer/{one.burst}/{offer.contact}/{offer.address}"
            await letters.put(offer.contact or offer.address, offer, now=ground.clock(), once=once)
            asked = True
        await bursts.settle(one.burst, one.person, asked=asked)
    return len(waiting) == TOGETHER


async def _offers(waiting: Waiting, book: Book) -> list[Offer]:
    """What a person is asked about, as far as it still stands; one offer for each pair of contact and address that spoke."""
    rows = await book.read_subs(sorted({one.noted.sub for one in waiting.members}))
    found: dict[tuple[str, str], list[Member]] = {}
    for members in _by_scope(waiting.members):
        if stands(members[-1], rows) and _old(members[0]) != "opted_out":
            found.setdefault(_speaker(members[-1], rows), []).extend(members)
    until = waiting.offered_at + OPEN_FOR
    return [Offer(*who, tuple(map(_changed, members)), until, _language(members)) for who, members in found.items()]


def _by_scope(members: Sequence[Member]) -> list[list[Member]]:
    """A person's opt-outs, those from the same row about the same scope together: machines press twice, and it is one thing to undo."""
    found: dict[tuple[str, tuple[str, ...]], list[Member]] = {}
    for one in members:
        found.setdefault((one.noted.sub, tuple(one.noted.fields["scope"])), []).append(one)
    return list(found.values())


def stands(member: Member, rows: Mapping[str, Row]) -> bool:
    """Whether a marked opt-out is still the latest word of who said it."""
    row = rows.get(member.noted.sub)
    return row is not None and any(stamp.entry == member.noted.id for stamp in row.state.strong.values())


def _speaker(member: Member, rows: Mapping[str, Row]) -> tuple[str, str]:
    """The contact and the address (pseudonyms, "" for none) that an opt-out was spoken for."""
    sub = member.noted.sub
    return (sub, member.address) if rows[sub].kind == CONTACT else ("", sub)


def _old(member: Member) -> str:
    return str(member.noted.fields.get("x", {}).get("old", ""))


def _changed(member: Member) -> Changed:
    fields = member.noted.fields
    x = fields.get("x", {})
    return Changed(
        member.noted.id, fields["t"], Scope(*fields["scope"]), x.get("old", ""), x.get("new", ""), fields["ts"], fields["src"],
        fields.get("rule", ""),
    )  # fmt: skip


def _language(members: Sequence[Member]) -> str:
    """The language that the person used last, "" where none is known."""
    said = [str((one.noted.detail or {}).get("language") or "") for one in members]
    return next((one for one in reversed(said) if one), "")
