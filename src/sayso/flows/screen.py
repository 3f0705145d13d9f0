"""Screen: the gate's answer for every row of an audience, of any size, exact as of one moment, and kept in the ledger as one entry."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sayso.contracts.audience import Audience, Census, Censuses, Count, Crew, Engine, Named, Revision, Run, Screened, Totals
from sayso.contracts.book import Act, Book, Judged, Key, Scene
from sayso.contracts.gatehouse import Wanted
from sayso.contracts.ground import Ground
from sayso.flows.check import Question, people_of
from sayso.flows.note_config import HUB
from sayso.flows.refresh import limited, refresh
from sayso.rules import cadence, gate
from sayso.rules.audience import Answer
from sayso.rules.entries import Entry
from sayso.rules.gate import Ask
from sayso.rules.state import fold
from sayso.rules.statements import Row, Ruling
from sayso.rules.subjects import CONTACT, aliases
from sayso.rules.values import altered

ASKED_AT_ONCE: Final = 1_000

Tell = Callable[[int, int, int], None]
"""Told how far a screening is: bytes read, bytes in all, rows that the gate had to judge so far."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who screens, as the ledger names them, through which door, and what they call the list ("" for nothing)."""

    actor: str
    via: str
    name: str = ""


async def screen(
    audience: Audience, ask: Ask, caller: Caller, *, censuses: Censuses, engine: Engine, book: Book, ground: Ground,
    crew: Crew | None = None, tell: Tell = lambda _done, _total, _asked: None, count: Count = lambda _read: None,
) -> Screened:  # fmt: skip
    """The audience in `audience.target`, row for row: the same rows in the same order with `allowed` and `reason`.

    Everything is read as of one moment after the call began, which the answer names. Rows that cannot be read come back denied; a store
    that cannot be read gives nothing at all. `count` hears how many contacts and addresses were read where the snapshot has to be made
    first. Written to the ledger before it is returned. Raises BadAudience, Unavailable and OSError.
    """
    async with censuses.opened() as census:
        fresh = await refresh(census=census, engine=engine, ground=ground, crew=crew, tell=count)
        held = await limited(back, census=census, ground=ground) if (back := _back(ask, ground)) else []
        changed = [*({line.id: line for line in (*fresh.changed, *held)}).values()]
        run = await asyncio.to_thread(engine.begin, audience, ask, fresh.stand, changed, ground.default_country)
        try:
            asked = 0
            while (unsure := await asyncio.to_thread(run.step)) is not None:
                done, total = await asyncio.to_thread(run.settle, await _judged(unsure, census, ground))
                asked += len(unsure)
                tell(done, total, asked)
            totals = await asyncio.to_thread(run.finish)
        finally:
            await asyncio.to_thread(run.close)
        revision = census.revision
    entry = await _note(totals, revision, ask, run, caller, book)
    return Screened(totals, revision, run.form, entry)


async def _judged(rows: Sequence[Named], census: Census, ground: Ground) -> list[Answer]:
    """The gate's own answers to rows that no profile can tell, in order."""
    answers: list[Answer] = []
    for start in range(0, len(rows), ASKED_AT_ONCE):
        part = rows[start : start + ASKED_AT_ONCE]
        found = await census.found([_wanted(row, ground) for row in part])
        for row, rows_of_it in zip(part, found, strict=True):
            caps = cadence.caps_on(ground.catalogue.caps, row.ask)
            contact = Key(CONTACT, row.contact) if row.contact is not None else None
            verdict = gate.may_send(
                row.ask, people_of(Question(row.ask, contact, row.address), rows_of_it), version=0, now=census.revision.at,
                window=ground.window, default_country=ground.default_country,
            )  # fmt: skip
            verdict = cadence.limited(verdict, cadence.reached(caps, rows_of_it.spent, census.revision.at))
            answers.append(Answer(verdict.allowed, verdict.reasons[0].code))
        await asyncio.sleep(0)
    return answers


def _wanted(row: Named, ground: Ground) -> Wanted:
    address = row.address
    looks = tuple(Key(one.kind, one.value) for one in aliases(address)[1:]) if address else ()
    contact = Key(CONTACT, row.contact) if row.contact is not None else None
    return Wanted(contact, Key(address.kind, address.value) if address else None, looks, _back(row.ask, ground))


def _back(ask: Ask, ground: Ground) -> int:
    """How far caps on a message look back, whatever brand its row may name; 0 when none is on it."""
    return max((cap.period for cap in cadence.caps_on(ground.catalogue.caps, altered(ask, brand=None))), default=0)


async def _note(totals: Totals, revision: Revision, ask: Ask, run: Run, caller: Caller, book: Book) -> str:
    """The id of the entry on the hub's chain that keeps what was screened: counts, revision, hashes. Who was in it stands nowhere."""
    counts: dict[str, str | int] = {"rows": totals.rows, "allowed": totals.allowed, "asked": totals.asked}
    at: dict[str, str | int] = {
        "log": revision.log,
        "log_size": revision.log_size,
        "as_of": revision.at,
        "hash_in": totals.hash_in,
        "hash_out": totals.hash_out,
    }
    detail: Mapping[str, object] = {
        "channel": ask.channel, "category": ask.category.key if ask.category else "", "business_unit": ask.brand, "country": ask.country,
        "form": run.form, "reasons": dict(totals.reasons), "name": caller.name or None,
    }  # fmt: skip

    def judge(scene: Scene) -> Judged:
        sub = scene.page.keys[HUB]
        row = scene.page.rows[sub]
        now = max(scene.now, row.state.last_at + 1)
        entry = Entry(
            id=scene.new_id(sub), sub=sub, kind="seal", at=now, ts=now, act="audience", src="manual", by=caller.actor, via=caller.via,
            effect="stored", x=tuple(sorted({**counts, **at}.items())),
        )  # fmt: skip
        return Judged(Ruling((entry,), {sub: Row(row.sub, row.kind, fold(row.state, entry))}, ()))

    kept = json.dumps({name: value for name, value in detail.items() if value is not None}, sort_keys=True, ensure_ascii=False)
    written = await book.write(Act((HUB,), judge, kept))
    assert written.ruling is not None  # it carries no key and no event id, so it is always written
    return written.ruling.entries[0].id
