"""Budgets: what was sent or promised to the people of a batch of checks, read and promised within the batch's own transaction.

Promises to one person are made one transaction at a time (advisory locks, taken in order), so that two senders who ask at the same
instant cannot both get the last message. Only checks that a cap is on come here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sayso.contracts.gatehouse import Found, Wanted
from sayso.rules.answer import Logged
from sayso.rules.cadence import Spent
from sayso.rules.subjects import CONTACT
from sayso.rules.values import altered
from sayso.rules.words import ANY, Scope
from sayso.store.pool import Connection
from sayso.store.queries import QUERIES
from sayso.store.rows import place_of

LOCKS: Final = 7_302
"""The class of advisory locks that budgets take."""


@dataclass(slots=True)
class Budgets:
    """The budgets of one batch. `people` are the ids that each check counts for, the first is the one it is promised to."""

    people: Sequence[tuple[bytes, ...]]
    spent: dict[bytes, dict[UUID, Spent]] = field(default_factory=dict)
    promised: list[tuple[bytes, UUID, Spent]] = field(default_factory=list)

    def found(self, n: int, found: Found) -> Found:
        """What was found for one check, with what was sent and promised to its people so far."""
        seen: dict[UUID, Spent] = {}
        for who in self.people[n]:
            seen.update(self.spent.get(who, {}))
        return altered(found, spent=tuple(seen.values())) if seen else found

    def promise(self, n: int, wanted: Wanted, check: UUID, logged: Logged) -> None:
        """Counts an allowed check that asked for it, for the checks behind it too."""
        if not (wanted.reserve and logged.verdict.allowed and self.people[n]):
            return
        who = self.people[n][0]
        one = Spent(logged.at, Scope(logged.brand or ANY, logged.channel, logged.category))
        self.spent.setdefault(who, {})[check] = one
        self.promised.append((who, check, one))

    async def keep(self, connection: Connection) -> None:
        """Keeps what was promised."""
        if self.promised:
            rows = [(who[0], who, check, s.at, s.scope.brand, s.scope.channel, s.scope.category) for who, check, s in self.promised]
            await connection.execute(QUERIES["keep_reservations"], *map(list, zip(*rows, strict=True)))


async def open_budgets(connection: Connection, asked: Sequence[Wanted], founds: Sequence[Found], pepper: bytes, now: int) -> Budgets:
    """The budgets of the checks that are limited; must be called inside a transaction when any of them reserves."""
    people = [_people(wanted, found, pepper) if wanted.back else () for wanted, found in zip(asked, founds, strict=True)]
    budgets = Budgets(people)
    everybody = sorted({who for some in people for who in some})
    reserving = {who for wanted, some in zip(asked, people, strict=True) if wanted.reserve for who in some}
    if reserving:
        numbers = [int.from_bytes(who[:4], signed=True) for who in reserving]
        await connection.execute(QUERIES["hold_budgets"], LOCKS, numbers)
    since = now - max((wanted.back for wanted in asked), default=0)
    records: list[Any] = await connection.fetch(QUERIES["spent_by"], [who[0] for who in everybody], everybody, since) if everybody else []
    for record in records:
        one = Spent(record["at"], Scope(record["brand"], record["channel"], record["category"]))
        budgets.spent.setdefault(everybody[record["ord"] - 1], {})[record["id"]] = one
    return budgets


def _people(wanted: Wanted, found: Found, pepper: bytes) -> tuple[bytes, ...]:
    """Whose budget a check is about: the address it names or reaches, its contact, and every contact of the address."""
    subs: list[str] = []
    for row in (found.contact, found.address):
        if row is not None:
            near = [sub for sub, link in row.state.links.items() if (link.kind == CONTACT) is (row.kind != CONTACT)]
            subs += [row.sub, *sorted(near)]
    people = [bytes.fromhex(sub) for sub in subs]
    if wanted.address is not None:
        people.append(place_of(pepper, wanted.address)[1])
    return tuple(dict.fromkeys(people))
