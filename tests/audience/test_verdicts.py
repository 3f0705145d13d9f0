"""The test that matters: an audience's verdicts are the gate's, row for row, over random people in every kind of state."""

import csv
import os
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest
from crowd import COUNTRIES, Crowd, settle

from hub import PEPPER, tools
from sayso.audience.joined import DuckEngine
from sayso.contracts.audience import Audience
from sayso.contracts.ground import Ground
from sayso.flows.check import Question, check
from sayso.flows.screen import Caller, screen
from sayso.rules.caps import Cap
from sayso.rules.catalogue import DEFAULT
from sayso.rules.countries import COUNTRIES as ALL_COUNTRIES
from sayso.rules.gate import DAY, Ask
from sayso.rules.values import altered
from sayso.rules.words import Scope
from sayso.store.book import PostgresBook
from sayso.store.gatehouse import PostgresGatehouse
from sayso.store.pool import open_pool
from sayso.store.snapshot import PostgresCensuses
from sayso.web.checks import read_check
from sayso.web.errors import Problem

PEOPLE = 100_000 if os.environ.get("FULL") == "1" else 1_000
ROWS = max(1_000, PEOPLE // 4)
"""Rows of each of the four audiences."""
FIELDS = ["contact_id", "address", "country", "business_unit"]
QUESTIONS = (("email", "promotional"), ("email", "product_updates"), ("email", "order_confirmations"), ("sms", "promotional"))


CAPS = (Cap(Scope("*", "email", "promotional"), 1, 7 * DAY), Cap(Scope("outlet", "*", "*"), 2, DAY), Cap(Scope("*", "sms", "*"), 1, DAY))


def ground(default_country: str | None = None) -> Ground:
    """The ground of a hub; the one with a default country also caps what is sent."""
    catalogue = replace(DEFAULT, caps=CAPS if default_country else ())
    return Ground(clock=lambda: time.time_ns() // 1000, chance=os.urandom, default_country=default_country, catalogue=catalogue)


@pytest.mark.feature("R7", "I6", "I8")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("default_country", [None, "US"])
async def test_an_audience_is_told_what_the_gate_says_row_for_row(database: str, tmp_path: Path, default_country: str | None) -> None:
    crowd = Crowd(random.Random(f"crowd {default_country}"))
    crowd.grow(PEOPLE)
    await settle(database, crowd)
    here = ground(default_country)
    pool = await open_pool(database)
    book, gatehouse = PostgresBook(pool, tools()), PostgresGatehouse(pool, PEPPER, os.urandom, patience=60)
    await book.open()
    engine = DuckEngine(tmp_path / "snapshot", tmp_path, PEPPER)
    differ, judged, held = [], 0, 0
    for channel, category in QUESTIONS:
        rows = crowd.rows(ROWS)
        source, target = tmp_path / "in.csv", tmp_path / "out.csv"
        with source.open("w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(rows)
        if here.catalogue.caps:
            await promise([one for row in crowd.rows(ROWS // 4) if (one := question(row, channel, category, here))], gatehouse, here)
        ask = Ask(channel, here.catalogue.get(category))
        done = await screen(
            Audience(source, target), ask, Caller("c:test", "c:test"), censuses=PostgresCensuses(pool, PEPPER), engine=engine, book=book,
            ground=here,
        )  # fmt: skip
        held += done.totals.reasons.get("frequency_cap", 0)
        with target.open(newline="") as file:
            told = list(csv.DictReader(file))
        assert [{name: row[name] for name in FIELDS} for row in told] == rows
        assert done.totals.rows == len(rows) and done.totals.allowed == sum(row["allowed"] == "true" for row in told)
        for start in range(0, len(rows), 1_000):
            asked = [one for row in told[start : start + 1_000] if (one := question(row, channel, category, here))]
            verdicts = await check([one for _, one in asked], gatehouse=gatehouse, ground=here)
            for (row, _), (_, logged) in zip(asked, verdicts, strict=True):
                judged += 1
                said = (str(logged.verdict.allowed).lower(), logged.verdict.reasons[0].code)
                if (row["allowed"], row["reason"]) != said:
                    differ.append((row, said, [r.code for r in logged.verdict.reasons]))
    await gatehouse.close()
    await book.close()
    await pool.close()
    print(
        f"\n{judged:,} rows judged, {done.totals.asked:,} of the last {done.totals.rows:,} by the gate, {len(differ)} differ; {dict(done.totals.reasons)}"
    )
    assert not differ, differ[:5]
    assert (held > 0) == bool(here.catalogue.caps)
    assert judged > len(QUESTIONS) * ROWS * 0.9
    assert set(COUNTRIES) <= ALL_COUNTRIES


async def promise(asked: list[tuple[dict[str, str], Question]], gatehouse: PostgresGatehouse, here: Ground) -> None:
    """Reserves a message for each of these people, as senders do."""
    for start in range(0, len(asked), 500):
        await check([altered(one, reserve=True) for _, one in asked[start : start + 500]], gatehouse=gatehouse, ground=here)


def question(row: dict[str, str], channel: str, category: str, here: Ground) -> tuple[dict[str, str], Question] | None:
    """The check that asks what a row asks; None for rows that name nobody, which no check can ask."""
    body = {name: row[name] for name in FIELDS if row[name] or name == "address"}
    if row["contact_id"] and not row["address"].strip():
        del body["address"]
    try:
        asked = read_check(
            {**body, "channel": channel, "category": category}, catalogue=here.catalogue, campaigns={}, countries=ALL_COUNTRIES,
            region=here.default_country,
        )  # fmt: skip
    except Problem:
        assert row.get("allowed", "false") == "false" and row.get("reason", "unreadable").startswith("unreadable")
        return None
    return row, asked
