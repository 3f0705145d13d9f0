"""From what rows name to the keys that the snapshot is joined by: in SQL for everyday addresses, by the rules for all others."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import duckdb
import pyarrow as pa

from sayso.audience.kept import KEY_BYTES
from sayso.rules.audience import ELSEWHERE, EVERYDAY_CONTACT, EVERYDAY_EMAIL, SPECIAL_TOPS
from sayso.rules.countries import COUNTRIES
from sayso.rules.subjects import (
    ADDRESS_KIND,
    CONTACT,
    EMAIL_LENGTH,
    LOCAL_LENGTH,
    Address,
    InvalidAddress,
    address_or_fault,
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
            digest = f"sha256({_blob(outer)} || {nested})"
            database.execute(f"CREATE MACRO {name}(value) AS unhex(substr({digest}, 1, {2 * KEY_BYTES}))::UUID")

    def spelt(self, *, contacts: bool) -> str:
        """The query that gives the rows of `chunk`, everyday ones with their keys, others as text. `contacts`: whether any row names one."""
        said = _SAID.format(contact=_CONTACTS if contacts else _NO_CONTACTS)
        return said + (_EMAILS if ADDRESS_KIND[self.channel] == "email" else _OTHERS)

    def spell(self, database: duckdb.DuckDBPyConnection, *, contacts: bool) -> None:
        """Makes the table `spelt`, and `read_addresses`, `read_contacts`: what the rules read in texts that are not everyday ones."""
        database.execute(f"CREATE OR REPLACE TEMP TABLE spelt AS {self.spelt(contacts=contacts)}")
        texts = database.execute("SELECT DISTINCT odd, place FROM spelt WHERE odd <> ''").fetchall()
        _register(database, "read_addresses", _ADDRESSES, [(raw, place, *self._read(raw, place)) for raw, place in texts])
        names = database.execute("SELECT DISTINCT odd_contact FROM spelt WHERE odd_contact <> ''").fetchall()
        _register(database, "read_contacts", _NAMES, [(raw, *self._contact(raw)) for (raw,) in names])

    def address(self, raw: str, place: str) -> tuple[Address | None, str]:
        """The address that a row names, or the code that says why it is none."""
        return address_or_fault(self.channel, raw, country_of(place) or self.country or self.region)

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


def country_of(said: str) -> str | None:
    """The country that a row's text means: None for nothing said; what is no country is nowhere that law is mild."""
    return (said if said in COUNTRIES else ELSEWHERE) if said else None


def _register(database: duckdb.DuckDBPyConnection, name: str, schema: pa.Schema, rows: Sequence[tuple[Any, ...]]) -> None:
    columns: list[Any] = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in schema]
    database.register(name, pa.table([pa.array(column, one.type) for column, one in zip(columns, schema, strict=True)], schema=schema))


def _blob(raw: bytes) -> str:
    return "'" + "".join(f"\\x{byte:02X}" for byte in raw) + "'::BLOB"


_ADDRESSES: Final = pa.schema(
    [("raw", pa.string()), ("place", pa.string()), ("k", pa.uuid()), ("fault", pa.string()), ("look1", pa.uuid()), ("look2", pa.uuid())]
)
_NAMES: Final = pa.schema([("contact", pa.string()), ("k", pa.uuid()), ("problem", pa.string())])
_TOPS: Final = " OR ".join(f"ends_with(domain, '.{top}')" for top in sorted(SPECIAL_TOPS))
_GMAILS: Final = ", ".join(f"'{domain}'" for domain in GMAIL)
_CONTACTS: Final = f"""coalesce(contact, '') <> '' AS at_contact,
        CASE WHEN regexp_full_match(contact, '{EVERYDAY_CONTACT}') THEN contact_key(contact) END AS ck,
        CASE WHEN regexp_full_match(contact, '{EVERYDAY_CONTACT}') THEN '' ELSE coalesce(contact, '') END AS odd_contact"""
_NO_CONTACTS: Final = "false AS at_contact, NULL::UUID AS ck, '' AS odd_contact"
_SAID: Final = """
WITH said AS (
    SELECT n, CASE WHEN starts_with(address, ' ') OR ends_with(address, ' ') THEN trim(address) ELSE coalesce(address, '') END AS raw, upper(trim(coalesce(country, ''))) AS place, coalesce(brand, '') AS brand,
        coalesce(problem, '') AS problem, {contact}
    FROM chunk
)"""
_EMAILS: Final = f""", plain AS (
    SELECT *, CASE WHEN regexp_full_match(raw, '{EVERYDAY_EMAIL}') AND length(raw) <= {EMAIL_LENGTH} THEN lower(raw) END AS whole FROM said
), parts AS (
    SELECT *, strpos(whole, '@') AS cut, substr(whole, strpos(whole, '@') + 1) AS domain, strpos(whole, '+') AS tag FROM plain
), kept AS (
    SELECT *, CASE WHEN cut <= {LOCAL_LENGTH + 1} AND NOT contains(domain, '--')
                        AND NOT ({_TOPS}) THEN whole END AS value,
        left(whole, CASE WHEN tag > 0 THEN tag ELSE cut END - 1) AS bare
    FROM parts
)
SELECT n, raw <> '' AS at_address, CASE WHEN value IS NULL THEN raw ELSE '' END AS odd, place, brand, problem, at_contact, ck, odd_contact,
    CASE WHEN value IS NOT NULL THEN address_key(value) END AS k,
    CASE WHEN value IS NOT NULL AND tag > 0 THEN address_key(bare || '@' || domain) END AS look1,
    CASE WHEN value IS NOT NULL AND domain IN ({_GMAILS}) AND (domain <> 'gmail.com' OR contains(bare, '.') OR tag > 0)
        THEN address_key(replace(bare, '.', '') || '@gmail.com') END AS look2
FROM kept"""
"""Everyday addresses by SQL, as rules/subjects.py reads them: the fold, and the look-alikes of tags and of Gmail's dots and domains."""
_OTHERS: Final = """
SELECT n, raw <> '' AS at_address, raw AS odd, place, brand, problem, at_contact, ck, odd_contact,
    NULL::UUID AS k, NULL::UUID AS look1, NULL::UUID AS look2
FROM said"""
