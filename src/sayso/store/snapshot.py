"""The census on PostgreSQL: one REPEATABLE READ transaction in which a whole screening is read.

What changed since an earlier census is found by places in the log, not by times: an entry that this one cannot see has no place below
its log size, whatever any clock said, because the sequencer gives places only to what is committed.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from sayso.contracts.audience import Known, Revision
from sayso.contracts.book import Unavailable
from sayso.contracts.gatehouse import Found, Wanted
from sayso.rules.statements import Row
from sayso.rules.subjects import CONTACT
from sayso.store.budgets import open_budgets
from sayso.store.pool import Connection, borrowed, see_the_same
from sayso.store.queries import QUERIES
from sayso.store.rows import held, place_of, shards_and_pseudonyms

BATCH: Final = 5_000
PSEUDONYM: Final = 16
SLOW: Final = 600.0
"""Seconds one statement of a census may take: some look at everybody."""

Batch = tuple[Sequence[Known], Mapping[str, Known]]


@dataclass(frozen=True, slots=True)
class PostgresCensuses:
    """Opens censuses; each holds a connection of the pool, and old row versions, until it ends."""

    pool: "asyncpg.Pool[asyncpg.Record]"
    pepper: bytes = field(repr=False)
    doubt: Callable[[], str] = str

    @asynccontextmanager
    async def opened(self, snapshot: str = "") -> AsyncIterator["PostgresCensus"]:
        """The store as it is when this begins, or as the census sees it that shared this snapshot.

        Raises Unavailable, also while there is `doubt` whether it may be believed.
        """
        if why := self.doubt():
            raise Unavailable(f"the store may not be believed: {why}")
        async with borrowed(self.pool) as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            if snapshot:
                await connection.execute(see_the_same(snapshot))
            await connection.execute(QUERIES["census_begins"])
            row = await connection.fetchrow(QUERIES["census_revision"], timeout=SLOW)
            assert row is not None  # it always gives one row
            yield PostgresCensus(connection, self.pepper, Revision(row["log"], row["size"], row["head"], row["at"]))


@dataclass(frozen=True, slots=True)
class PostgresCensus:
    """The store at one moment."""

    connection: Connection
    pepper: bytes = field(repr=False)
    revision: Revision

    async def shared(self) -> str:
        """What other connections see the same by, as long as this census lasts."""
        return str(await self.connection.fetchval(QUERIES["share_snapshot"], timeout=SLOW))

    async def entry_at(self, place: int) -> str:
        """The id of the entry at a place of the log; "" when there is none."""
        return await self.connection.fetchval(QUERIES["census_entry_at"], self.revision.log, place, timeout=SLOW) or ""

    async def everybody(self, shards: range) -> AsyncIterator[Batch]:
        """All contacts and addresses of these shards, 5,000 at a time."""
        cursor = await self.connection.cursor(QUERIES["census_everybody"], shards.start, shards.stop, timeout=SLOW)
        while records := await cursor.fetch(BATCH, timeout=SLOW):
            yield await self._with_links([_known(record) for record in records])

    async def changed(self, since: int) -> AsyncIterator[Batch]:
        """Those who changed, what they are linked to, and what the contacts among those are linked to."""
        records = await self.connection.fetch(QUERIES["census_changed"], self.revision.log, since, timeout=SLOW)
        async for batch in self._around([record["sub"].hex() for record in records]):
            yield batch

    async def spenders(self, since: int) -> AsyncIterator[Batch]:
        """Those to whom something was sent or promised, and whoever shares a budget with them."""
        records = await self.connection.fetch(QUERIES["census_spenders"], since, timeout=SLOW)
        async for batch in self._around([record["sub"].hex() for record in records if len(record["sub"]) == PSEUDONYM]):
            yield batch

    async def unseen_spenders(self, since: int) -> Sequence[bytes]:
        """Ids of addresses nobody said a word about."""
        records = await self.connection.fetch(QUERIES["census_spenders"], since, timeout=SLOW)
        return [record["sub"] for record in records if len(record["sub"]) != PSEUDONYM]

    async def _around(self, subs: Sequence[str]) -> AsyncIterator[Batch]:
        seen: set[str] = set()
        for start in range(0, len(subs), BATCH):
            members = await self._by_sub(subs[start : start + BATCH])
            near = await self._with_links(list(members.values()))
            fresh = [known for known in near[1].values() if known.row.sub not in seen and known.row.kind not in ("connection", "hub")]
            seen |= {known.row.sub for known in fresh}
            for more in range(0, len(fresh), BATCH):
                yield await self._with_links(fresh[more : more + BATCH])

    async def found(self, wanted: Sequence[Wanted]) -> list[Found]:
        """The rows of questions."""
        keys = {key for one in wanted for key in (one.contact, one.address, *one.lookalikes) if key is not None}
        places = {key: place_of(self.pepper, key) for key in keys}
        asked = sorted(set(places.values()))
        records = await self.connection.fetch(QUERIES["subjects_by_id"], [p[0] for p in asked], [p[1] for p in asked], timeout=SLOW)
        members = {known.id: known for known in map(_known, records)}
        _, everybody = await self._with_links(list(members.values()))
        rows = {sub: known.row for sub, known in everybody.items()}
        by_key = {key: members[subject].row for key, (_, subject) in places.items() if subject in members}
        founds = [
            Found(
                by_key.get(one.contact) if one.contact else None,
                by_key.get(one.address) if one.address else None,
                tuple(by_key[key] for key in one.lookalikes if key in by_key),
                rows,
            )
            for one in wanted
        ]
        if not any(one.back for one in wanted):
            return founds
        budgets = await open_budgets(self.connection, wanted, founds, self.pepper, self.revision.at)
        return [budgets.found(n, one) for n, one in enumerate(founds)]

    async def _with_links(self, members: Sequence[Known]) -> Batch:
        """The members, and by pseudonym they and whatever they are linked to within the two steps that checks take."""
        found = {known.row.sub: known for known in members}
        for hop in range(2):
            near: Iterable[Row] = [known.row for known in found.values() if hop == 0 or known.row.kind == CONTACT]
            wanted = {sub for row in near for sub in row.state.links} - found.keys()
            if not wanted:
                break
            found |= await self._by_sub(sorted(wanted))
        return members, found

    async def _by_sub(self, subs: Sequence[str]) -> dict[str, Known]:
        records = await self.connection.fetch(QUERIES["subjects_by_pseudonym"], *shards_and_pseudonyms(subs), timeout=SLOW)
        return {known.row.sub: known for known in map(_known, records)}


def _known(record: Any) -> Known:
    """The subject of a record. One that cannot be read ends the screening: it might be a stop, for whoever is linked to it too."""
    try:
        one = held(record)
    except ValueError as damaged:
        raise Unavailable("the state of a subject cannot be read; run sayso verify") from damaged
    return Known(one.id, one.row)
