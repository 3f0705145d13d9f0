"""Looks for people in everything that lies in a data folder: as plain bytes, and as what its keys still open."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import asyncpg

from sayso.keys import KekRing
from sayso.store.rows import bound
from sayso.store.vault import Sealed, Vault

OUTGOING = "mail"
"""Mails that went out lie here in place of a mail server; what was sent cannot be called back."""
WRAPPED = 12 + 32 + 16


def files(folder: Path) -> Iterator[Path]:
    """Every file of the data folder but outgoing mail: database, write-ahead log, logs, keys, journal."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.relative_to(folder).parts[0] != OUTGOING:
            yield path


def plain_hits(folder: Path, words: Iterable[str]) -> list[tuple[str, str]]:
    """(word, file) of every word that stands in a file in letters a person could read, in upper or lower case."""
    found = []
    for path in files(folder):
        raw = path.read_bytes().lower()
        found += [
            (word, str(path.relative_to(folder)))
            for word in words
            if word.lower().encode() in raw or word.lower().encode("utf-16-le") in raw
        ]
    return found


async def table_hits(dsn: str, words: Iterable[str]) -> list[tuple[str, str]]:
    """(word, table) of every word that a dump of the database would hold."""
    connection = await asyncpg.connect(dsn)
    try:
        tables = await connection.fetch(
            "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
        )
        found = []
        for table in tables:
            rows = await connection.fetch(f"SELECT encode(convert_to(t::text, 'UTF8'), 'escape') AS row FROM {table['name']} t")
            text = "\n".join(row["row"] for row in rows).lower()
            found += [(word, table["name"]) for word in words if word.lower() in text or word.lower().encode().hex() in text]
        return found
    finally:
        await connection.close()


def data_keys(folder: Path, subs: Iterable[str]) -> list[bytes]:
    """The data keys of these subjects that the keys of the folder still open, found anywhere in the bytes of its files.

    This is what somebody can do who stole the whole machine and knows the pseudonyms: deleted rows, free space and the write-ahead log
    still hold wrapped keys.
    """
    ring = KekRing(folder)
    vault = Vault(ring, ring.newest(), bytes)
    places = [bound("subject_key", bytes.fromhex(sub)) for sub in subs]
    heads = {bytes([len(kid)]) + kid.encode() for kid in ring}
    found: dict[bytes, None] = {}
    for path in files(folder):
        raw = path.read_bytes()
        for head in heads:
            for match in re.finditer(re.escape(head), raw):
                wrapped = raw[match.start() : match.start() + len(head) + WRAPPED]
                found.update(dict.fromkeys(_opened(vault, wrapped, places)))
    return list(found)


def _opened(vault: Vault, wrapped: bytes, places: list[bytes]) -> Iterator[bytes]:
    for place in places:
        try:
            yield vault.unwrap(wrapped, place)
        except (Sealed, IndexError):
            continue


async def checkpoint(parts: Any) -> None:
    """Everything that is in memory is written into the files."""
    async with parts.pool.acquire() as connection:
        await connection.execute("CHECKPOINT", timeout=120)
