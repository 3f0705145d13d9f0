"""Every SQL statement of the store by name, read once from queries/*.sql.

A file holds statements, each of the form

    -- name: lock_subject
    -- Locks one subject's row so that its entries get one order.
    -- every shard: reason            (only where a statement on a hot table must not name its shard)
    SELECT … ;

The second line is the sentence that explains it; more comment lines may follow. `QUERIES["lock_subject"]` is the SQL without its
comments. Duplicate names, a missing sentence, an empty statement and text before the first name raise BadQueryFile at import.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

FOLDER = Path(__file__).parent / "queries"
HOT_TABLES = (
    "subject", "entry", "detail", "subject_key", "work", "verdict", "sent", "reservation", "letter", "letter_limit", "pending", "mail_key",
    "link_opt_out", "erasure",
)  # fmt: skip

_NAME = re.compile(r"^--\s*name:\s*(\S+)\s*$", re.MULTILINE)
_EVERY_SHARD = re.compile(r"^every shard:\s*(\S.*)$")
_TABLES = "|".join(HOT_TABLES)
_READ = re.compile(rf"\b(?:from|join|update|only|using|merge\s+into)\s+(?:public\.)?({_TABLES})\b(?!\s*\.)", re.IGNORECASE)
_INSERT = re.compile(rf"\binsert\s+into\s+(?:public\.)?({_TABLES})\b(?:\s+as\s+\w+)?\s*(\([^)]*\))?", re.IGNORECASE)
_FIXES_SHARD = re.compile(r"\bshard\s*=|\busing\s*\(\s*shard\b", re.IGNORECASE)


class BadQueryFile(Exception):
    """A .sql file of the store does not follow the form; a bug, found at import."""


@dataclass(frozen=True, slots=True)
class Query:
    """One named statement; `every_shard` is the reason why it may leave its shard open, None where it must not."""

    name: str
    sentence: str
    sql: str
    every_shard: str | None


def parse(text: str, where: str) -> list[Query]:
    """The statements of one file's text. Raises BadQueryFile, naming `where`."""
    pieces = _NAME.split(text)
    if without_comments(pieces[0]).strip():
        raise BadQueryFile(f"{where}: SQL before the first `-- name:`")
    return [_query(name, body, where) for name, body in zip(pieces[1::2], pieces[2::2], strict=True)]


def load(folder: Path = FOLDER) -> dict[str, Query]:
    """The statements of all .sql files in the folder by name. Raises BadQueryFile, also for a name used twice."""
    found: dict[str, Query] = {}
    for file in sorted(folder.glob("*.sql")):
        for query in parse(file.read_text(encoding="utf-8"), file.name):
            if query.name in found:
                raise BadQueryFile(f"{file.name}: a second query of the name {query.name}")
            found[query.name] = query
    return found


def unsharded(query: Query) -> frozenset[str]:
    """The hot tables this statement touches without naming their shard: none, or the schema could not be distributed.

    An insert names it in its column list. Reads text, not a parse tree: one `shard =` counts for all tables of the statement.
    """
    if query.every_shard is not None:
        return frozenset()
    sql = re.sub(r"'(?:[^']|'')*'", "''", query.sql)
    left_open = {table.lower() for table, columns in _INSERT.findall(sql) if not re.search(r"\bshard\b", columns, re.IGNORECASE)}
    if not _FIXES_SHARD.search(sql):
        left_open |= {table.lower() for table in _READ.findall(sql)}
    return frozenset(left_open)


def without_comments(sql: str) -> str:
    """The SQL without its `--` comments; none of our statements has `--` inside a literal."""
    return re.sub(r"--[^\n]*", "", sql)


def _query(name: str, body: str, where: str) -> Query:
    """One statement of its name and of what follows it."""
    comments: list[str] = []
    for line in body.strip("\n").split("\n"):
        if not line.startswith("--"):
            break
        comments.append(line.removeprefix("--").strip())
    if not comments or not comments[0].endswith("."):
        raise BadQueryFile(f"{where}: {name} lacks the sentence that explains it (`-- … .` right below its name)")
    sql = re.sub(r"\n\s*\n", "\n", without_comments(body)).strip().removesuffix(";").strip()
    if not sql:
        raise BadQueryFile(f"{where}: {name} has no SQL")
    reasons = [match.group(1) for comment in comments[1:] if (match := _EVERY_SHARD.match(comment))]
    return Query(name, comments[0], sql, reasons[0] if reasons else None)


QUERIES: Mapping[str, str] = MappingProxyType({query.name: query.sql for query in load().values()})
