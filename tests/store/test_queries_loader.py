"""The named statements: explained, found once, and naming the shard of every hot table they touch."""

import re
from pathlib import Path

import pytest

from sayso.store.queries import QUERIES, BadQueryFile, Query, load, parse, unsharded

GOOD = """-- What follows is about people.

-- name: lock_subject
-- Locks one subject's row so that its entries get one order.
-- A second line says more.
SELECT *
FROM subject -- the row

WHERE shard = $1 AND id = $2
FOR UPDATE;

-- name: count_all
-- Counts everybody.
-- every shard: a report
SELECT count(*) FROM subject;
"""


def query(sql: str, every_shard: str | None = None) -> Query:
    """A statement without ceremony."""
    return Query("q", "Does something.", sql, every_shard)


def test_a_file_gives_its_statements_without_comments() -> None:
    lock, count = parse(GOOD, "good.sql")
    assert lock == Query(
        "lock_subject",
        "Locks one subject's row so that its entries get one order.",
        "SELECT *\nFROM subject \nWHERE shard = $1 AND id = $2\nFOR UPDATE",
        None,
    )
    assert (count.name, count.every_shard) == ("count_all", "a report")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("SELECT 1;\n-- name: a\n-- Does.\nSELECT 2;", "before the first"),
        ("-- name: a\nSELECT 1;", "lacks the sentence"),
        ("-- name: a\n-- no full stop\nSELECT 1;", "lacks the sentence"),
        ("-- name: a\n-- Does nothing.\n", "has no SQL"),
    ],
)
def test_a_file_out_of_form_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadQueryFile, match=why):
        parse(text, "bad.sql")


def test_a_name_is_used_once_over_all_files(tmp_path: Path) -> None:
    for name in ("a.sql", "b.sql"):
        (tmp_path / name).write_text("-- name: same\n-- Does.\nSELECT 1;")
    with pytest.raises(BadQueryFile, match=r"b\.sql: a second query of the name same"):
        load(tmp_path)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM subject WHERE shard = $1 AND id = $2",
        "SELECT * FROM entry JOIN detail USING (shard, entry) WHERE sub = $1",
        "UPDATE work SET due = $3 WHERE shard = $1 AND sub = $2",
        "INSERT INTO detail (shard, entry, sealed) VALUES ($1, $2, $3)",
        "INSERT INTO subject AS s (shard, id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        "SELECT 'from subject', detail FROM log_entry",
        "SELECT entry.id FROM log_entry AS entry",
    ],
)
def test_statements_that_name_their_shard_pass(sql: str) -> None:
    assert unsharded(query(sql)) == frozenset()


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT * FROM subject WHERE id = $1", {"subject"}),
        ("UPDATE work SET due = now()", {"work"}),
        ("DELETE FROM entry WHERE id = $1", {"entry"}),
        ("INSERT INTO detail (entry, sealed) SELECT entry, sealed FROM sent WHERE shard = $1", {"detail"}),
        ("INSERT INTO verdict VALUES ($1, $2)", {"verdict"}),
        ("SELECT * FROM connection JOIN public.Work ON true", {"work"}),
        ("SELECT 'shard = 1' FROM subject_key", {"subject_key"}),
    ],
)
def test_statements_that_leave_their_shard_open_are_found(sql: str, tables: set[str]) -> None:
    assert unsharded(query(sql)) == tables
    assert unsharded(query(sql, every_shard="a report")) == frozenset()


def test_every_real_statement_names_its_shard() -> None:
    assert {name: sorted(tables) for name, found in load().items() if (tables := unsharded(found))} == {}


def test_the_real_statements_are_there_by_name() -> None:
    assert QUERIES["applied_migrations"].startswith("SELECT number")


def test_no_statement_looks_rows_up_by_a_clock_that_moves_while_it_runs() -> None:
    """`clock_timestamp()` is volatile: compared with it, every row is read, whatever index there is. `statement_timestamp()` stands still."""
    moving = re.compile(r"[<>]=?\s*\(extract\(epoch FROM clock_timestamp\(\)\)")
    assert [name for name, sql in QUERIES.items() if moving.search(sql)] == []
