"""From what rows name to the keys that the snapshot is joined by: in SQL for everyday addresses, by the rules for all others."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import duckdb
import pyarrow as pa

from sayso.audience.kept import KEY_BYTES
from sayso.rules.audience import ELSEWHERE, EVERYDAY_CONTACT, EVERYDAY_EMAIL, SPECIAL_TOPS, addressed
from sayso.rules.countries import COUNTRIES
from sayso.rules.subjects import (
    ADDRESS_KIND,
    CONTACT,
    EMAIL_LENGTH,
    LOCAL_LENGTH,
    Address,
    InvalidAddress,
    aliases,
    parse_contact_id,
    subject_id,
)

BLOCK: Final = 64
"""Bytes of a block of SHA-256."""
GMAIL: Final = ("gmail.com", "googlemail.com")


@dataclass(frozen=True, slots=True)
class Keyer:
    """Makes keys: the first 16 bytes of subject ids, as the snapshot holds them."""

    pepper: bytes = field(repr=False)
    channel: str
    region: str | None
    country: str | None

    def prepare(self, database: duckdb.DuckDBPyConnection) -> None:
        """Makes the macros that the statements below use, with the secret inside them."""
        secret = self.pepper if len(self.pepper) <= BLOCK else b""
        inner, outer = (bytes(byte ^ pad for byte in secret.ljust(BLOCK, b"\0")) for pad in (0x36, 0x5C))
        for name, kind in (("address_key", ADDRESS_KIND[self.channel]), ("contact_key", CONTACT)):
            begun = _blob(inner + kind.encode() + b"\0")
            nested = f"unhex(sha256({begun} || encode(value)))"
            database.execute(f"CREATE MACRO {name}(value) AS substr(sha256({_blob(outer)} || {nested}), 1, {2 * KEY_BYTES})::UUID")
        countries = ", ".join(f"'{country}'" for country in sorted(COUNTRIES))
        given = f"'{self.country if self.country in COUNTRIES else ELSEWHERE}'" if self.country else "''"
        database.execute(
            f"CREATE MACRO place_of(said) AS CASE WHEN coalesce(trim(said), '') = '' THEN {given} "
            f"WHEN upper(trim(said)) IN ({countries}) THEN upper(trim(said)) ELSE '{ELSEWHERE}' END"
        )

    def key(self, kind: str, value: str) -> bytes:
        """The key of one subject."""
        return subject_id(self.pepper, kind, value)[:KEY_BYTES]

    def spell(self, database: duckdb.DuckDBPyConnection) -> None:
        """Makes the tables `spelt` (the rows of `chunk`, everyday ones with their keys) and `read_addresses`, `read_contacts` (others)."""
        database.execute(EMAILS if ADDRESS_KIND[self.channel] == "email" else OTHERS)
        texts = database.execute("SELECT DISTINCT raw, place FROM spelt WHERE raw <> '' AND k IS NULL AND problem = ''").fetchall()
        _register(database, "read_addresses", _ADDRESSES, [(raw, place, *self._read(raw, place)) for raw, place in texts])
        names = database.execute("SELECT DISTINCT contact FROM spelt WHERE contact <> '' AND NOT everyday_contact").fetchall()
        _register(database, "read_contacts", _CONTACTS, [(raw, *self._contact(raw)) for (raw,) in names])

    def address(self, raw: str, place: str) -> tuple[Address | None, str]:
        """The address that a row names, or the code that says why it is none."""
        return addressed(self.channel, raw, place or self.region) if raw else (None, "")

    def _read(self, raw: str, place: str) -> tuple[bytes | None, str, bytes | None, bytes | None]:
        address, fault = self.address(raw, place)
        if address is None:
            return None, fault, None, None
        looks = [self._key(one.kind, one.value) for one in aliases(address)[1:]]
        first, second, *_ = [*looks, None, None]
        return self._key(address.kind, address.value), "", first, second

    def _contact(self, raw: str) -> tuple[bytes | None, str]:
        try:
            return self._key(CONTACT, parse_contact_id(raw)), ""
        except InvalidAddress as error:
            return None, f"contact_id: {error.detail}"

    def _key(self, kind: str, value: str) -> bytes:
        return subject_id(self.pepper, kind, value)[:KEY_BYTES]


def _register(database: duckdb.DuckDBPyConnection, name: str, schema: pa.Schema, rows: Sequence[tuple[Any, ...]]) -> None:
    columns: list[Any] = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in schema]
    database.register(name, pa.table([pa.array(column, one.type) for column, one in zip(columns, schema, strict=True)], schema=schema))


def _blob(raw: bytes) -> str:
    return "'" + "".join(f"\\x{byte:02X}" for byte in raw) + "'::BLOB"


_ADDRESSES: Final = pa.schema(
    [("raw", pa.string()), ("place", pa.string()), ("k", pa.uuid()), ("fault", pa.string()), ("look1", pa.uuid()), ("look2", pa.uuid())]
)
_CONTACTS: Final = pa.schema([("contact", pa.string()), ("k", pa.uuid()), ("problem", pa.string())])
_TOPS: Final = ", ".join(f"'{top}'" for top in sorted(SPECIAL_TOPS))
_GMAILS: Final = ", ".join(f"'{domain}'" for domain in GMAIL)
_SAID: Final = f"""
CREATE OR REPLACE TEMP TABLE spelt AS
WITH said AS (
    SELECT n, trim(coalesce(address, ''), ' ') AS raw, coalesce(contact, '') AS contact, place_of(country) AS place,
        coalesce(brand, '') AS brand, coalesce(problem, '') AS problem,
        regexp_full_match(coalesce(contact, ''), '{EVERYDAY_CONTACT}') AS everyday_contact
    FROM chunk
)"""
EMAILS: Final = f"""{_SAID}, plain AS (
    SELECT *, CASE WHEN regexp_full_match(raw, '{EVERYDAY_EMAIL}') AND length(raw) <= {EMAIL_LENGTH} THEN lower(raw) END AS whole FROM said
), parts AS (
    SELECT *, strpos(whole, '@') AS cut, substr(whole, strpos(whole, '@') + 1) AS domain FROM plain
), kept AS (
    SELECT *, CASE WHEN cut <= {LOCAL_LENGTH + 1} AND NOT contains(domain, '--')
                        AND string_split(domain, '.')[-1] NOT IN ({_TOPS}) THEN whole END AS value,
        left(whole, CASE WHEN contains(whole, '+') THEN strpos(whole, '+') ELSE cut END - 1) AS bare
    FROM parts
)
SELECT n, raw, contact, everyday_contact, place, brand, problem,
    CASE WHEN value IS NOT NULL THEN address_key(value) END AS k,
    CASE WHEN contains(value, '+') THEN address_key(bare || '@' || domain) END AS look1,
    CASE WHEN value IS NOT NULL AND domain IN ({_GMAILS}) AND (domain <> 'gmail.com' OR contains(bare, '.') OR contains(value, '+'))
        THEN address_key(replace(bare, '.', '') || '@gmail.com') END AS look2
FROM kept"""
"""Everyday addresses by SQL, as rules/subjects.py reads them: the fold, and the look-alikes of tags and of Gmail's dots and domains."""
OTHERS: Final = f"""{_SAID}
SELECT *, NULL::UUID AS k, NULL::UUID AS look1, NULL::UUID AS look2 FROM said"""
