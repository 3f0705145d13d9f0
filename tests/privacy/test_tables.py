"""Every table that holds something of a person is known to the erasure; a new one cannot be forgotten."""

import asyncpg
import pytest

from sayso.store.privacy import DESTROYED, SWEPT
from sayso.store.queries import QUERIES

pytestmark = pytest.mark.feature("L6")

NOTHING_PERSONAL = {
    "burst", "burst_cursor", "catalogue", "connection", "client", "token", "campaign", "instance", "daily_key", "letter_cursor", "log", "log_entry",
    "log_tile", "log_checkpoint", "to_sequence", "page_draft", "page_version", "verdict_batch", "schema_migration",
}  # fmt: skip
"""Configuration, hashes and order."""
OF_NOBODY = {"idempotency", "inbox", "seen_webhook", "letter_limit"}
"""Under daily keys that are destroyed after seven days, or keyed hashes that end within days."""
ITSELF = {"erasure", "entry", "subject", "verdict"}
"""Handled one by one: leaves stay, rows of subjects become what is left of them, verdicts lose the words of whoever asked."""


async def test_every_table_is_accounted_for(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        rows = await connection.fetch(
            "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        )
    finally:
        await connection.close()
    tables = {row["relname"] for row in rows}
    destroyed = {
        table for table in tables for name in DESTROYED if f"FROM {table} " in QUERIES[name] or f"UPDATE {table} " in QUERIES[name]
    }
    assert tables - destroyed - NOTHING_PERSONAL - OF_NOBODY - ITSELF == set(), "say in store/privacy.py what an erasure does with it"
    assert destroyed | ITSELF <= set(SWEPT) | {"erasure"}
