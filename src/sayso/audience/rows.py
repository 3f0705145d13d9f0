"""What readers hand to the join and writers get back: some rows of an audience, as they came, with whom each one names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

ADDED: Final = (pa.field("allowed", pa.bool_()), pa.field("reason", pa.string()))
"""The columns that screening adds."""
ASKED: Final = pa.schema(
    [("address", pa.string()), ("contact", pa.string()), ("country", pa.string()), ("brand", pa.string()), ("problem", pa.string())]
)
"""Whom rows name: `problem` says why a row cannot be read; then the others are null."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of the columns that say whom a row names, as the input writes them; None where it has no such column."""

    address: str | None
    contact: str | None
    country: str | None
    brand: str | None

    @property
    def names(self) -> tuple[str | None, ...]:
        """In the order of ASKED."""
        return (self.address, self.contact, self.country, self.brand)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows: `asked` has the columns of ASKED. The rows themselves are in one of three shapes.

    `table`: columns as they came; `cells`: fields of a CSV row, as many as there are columns; `lines`: texts of JSON objects, or
    whatever stood there instead.
    """

    asked: pa.Table
    table: pa.Table | None = None
    cells: Sequence[Sequence[str]] | None = None
    lines: Sequence[str] | None = None


def asked_table(rows: Sequence[tuple[str | None, str | None, str | None, str | None, str | None]]) -> pa.Table:
    """Rows of (address, contact, country, brand, problem) as a table."""
    columns: list[Any] = list(zip(*rows, strict=True)) if rows else [[] for _ in ASKED]
    return pa.table([pa.array(column, pa.string()) for column in columns], schema=ASKED)
