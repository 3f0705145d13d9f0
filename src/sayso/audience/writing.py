"""Writes an audience back: the same rows in the same order, `allowed` and `reason` behind what each row had.

In the form the audience came in, rows pass through unchanged: CSV fields keep their text, JSON lines their bytes, columns their types.
Cells are the caller's own and are not made safe for spreadsheets; what is added never begins with a sign that a spreadsheet obeys.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from sayso.audience.csv_rows import PASSING, Dialect
from sayso.audience.reading import Opened, object_of
from sayso.audience.rows import ADDED, Chunk
from sayso.contracts.audience import Form

ALLOWED, REASON = (field.name for field in ADDED)
_WORDS: Final = {True: "true", False: "false"}


class Writer(Protocol):
    """Writes chunks with their answers."""

    def write(self, chunk: Chunk, allowed: pa.Array, reason: pa.Array) -> None:
        """Writes some rows."""

    def close(self) -> None:
        """Ends the file."""


def writer_of(form: Form, target: Path, came: Opened) -> Writer:
    """A writer of a form to a file that nobody else may read."""
    target.touch(mode=0o600)
    if form == "csv":
        return _Csv(target, came.schema.names, came.dialect)
    if form == "ndjson":
        return _Ndjson(target, came.schema.names)
    return _Columns(form, target, came.schema)


class _Csv:
    def __init__(self, target: Path, names: Sequence[str], dialect: Dialect) -> None:
        self._names = names
        self._file = target.open("w", encoding="utf-8-sig" if dialect.mark else "utf-8", errors=PASSING, newline="")
        self._csv = csv.writer(self._file, delimiter=dialect.delimiter, lineterminator=dialect.end)
        self._csv.writerow([*names, ALLOWED, REASON])

    def write(self, chunk: Chunk, allowed: pa.Array, reason: pa.Array) -> None:
        rows = (
            chunk.cells
            if chunk.cells is not None
            else ([_cell(row.get(name)) for name in self._names] for row in _dicts(chunk, self._names))
        )
        answers = zip(allowed.to_pylist(), reason.to_pylist(), strict=True)
        self._csv.writerows([*cells, _WORDS[may], why] for cells, (may, why) in zip(rows, answers, strict=True))

    def close(self) -> None:
        self._file.close()


class _Ndjson:
    def __init__(self, target: Path, names: Sequence[str]) -> None:
        self._names = names
        self._file = target.open("w", encoding="utf-8", errors=PASSING, newline="\n")

    def write(self, chunk: Chunk, allowed: pa.Array, reason: pa.Array) -> None:
        answers = zip(allowed.to_pylist(), reason.to_pylist(), strict=True)
        if chunk.lines is not None:
            self._file.writelines(_longer(line, may, why) for line, (may, why) in zip(chunk.lines, answers, strict=True))
            return
        for row, (may, why) in zip(_dicts(chunk, self._names), answers, strict=True):
            self._file.write(json.dumps({**row, ALLOWED: may, REASON: why}, ensure_ascii=True, default=_cell) + "\n")

    def close(self) -> None:
        self._file.close()


def _longer(line: str, may: bool, why: str) -> str:
    """A JSON line with the answer put in before its last brace; what is no object becomes the text of one."""
    body, _ = object_of(line)
    if body is None:
        return json.dumps({"unreadable": line, ALLOWED: may, REASON: why}) + "\n"
    comma = "," if body else ""
    return f"{line[:-1].rstrip()}{comma}{json.dumps(ALLOWED)}:{_WORDS[may]},{json.dumps(REASON)}:{json.dumps(why)}}}\n"


class _Columns:
    def __init__(self, form: Form, target: Path, schema: pa.Schema) -> None:
        self._schema = schema
        whole = pa.schema([*schema, *ADDED], metadata=schema.metadata)
        if form == "parquet":
            self._file: Any = pq.ParquetWriter(target, whole)
        else:
            self._file = pa.ipc.new_stream(str(target), whole)

    def write(self, chunk: Chunk, allowed: pa.Array, reason: pa.Array) -> None:
        table = chunk.table
        if table is None:
            rows = list(_dicts(chunk, self._schema.names))
            columns = [pa.array([_whole(row.get(name)) for row in rows], pa.string()) for name in self._schema.names]
            table = pa.table(columns, schema=self._schema)
        for field, column in zip(ADDED, (allowed, reason), strict=True):
            table = table.append_column(field, column)
        self._file.write_table(table)

    def close(self) -> None:
        self._file.close()


def _dicts(chunk: Chunk, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows of a chunk as name → value."""
    if chunk.table is not None:
        for batch in chunk.table.to_batches(max_chunksize=10_000):
            columns = [column.to_pylist() for column in batch.columns]
            yield from (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
    elif chunk.cells is not None:
        yield from (dict(zip(names, cells, strict=True)) for cells in chunk.cells)
    else:
        for line in chunk.lines or ():
            body, _ = object_of(line)
            yield body if body is not None else {name: line if n == 0 else None for n, name in enumerate(names)}


def _cell(value: Any) -> str:
    """A value as the text of one field."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _whole(value: Any) -> str | None:
    """A value as text of a column: null stays null, bytes that are no text are shown as such."""
    return (
        None
        if value is None
        else _cell(value).encode("utf-8", PASSING if not isinstance(value, dict | list) else "replace").decode("utf-8", "replace")
    )
