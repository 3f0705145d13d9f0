"""Reads an audience in chunks of bounded size: CSV, NDJSON, Parquet, Arrow streams and files."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sayso.audience.columns import columns_of
from sayso.audience.csv_rows import LINE_LENGTH, PASSING, Dialect, open_csv
from sayso.audience.rows import ASKED, Chunk, Columns, asked_table
from sayso.contracts.audience import BadAudience, Form

TEXT_ROWS: Final = 50_000
TABLE_ROWS: Final = 1_000_000
TABLE_BYTES: Final = 1 << 28
"""Rows joined at once: each join reads the whole snapshot, so the more the better, as long as they fit into memory."""
_PARQUET: Final = b"PAR1"
_ARROW_FILE: Final = b"ARROW1"
_ARROW_STREAM: Final = b"\xff\xff\xff\xff"
_PACKED: Final = ((b"PK\x03\x04", "a ZIP archive or an Excel workbook"), (b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"(\xb5/\xfd", "zstd"))


@dataclass(slots=True)
class Opened:
    """An open input: its form, what a writer of the same form has to know, its chunks, and how many bytes of it are read."""

    form: Form
    schema: pa.Schema
    dialect: Dialect
    chunks: Iterator[Chunk]
    done: Callable[[], int]
    close: Callable[[], None]


def form_of(path: Path) -> Form:
    """The form a file is in, by its first bytes. Raises BadAudience."""
    with path.open("rb") as file:
        head = file.read(4_096)
    if not head.strip():
        raise BadAudience("the input is empty")
    for magic, name in _PACKED:
        if head.startswith(magic):
            raise BadAudience(f"the input is {name}: unpack it first")
    if head.startswith(_PARQUET):
        return "parquet"
    if head.startswith((_ARROW_FILE, _ARROW_STREAM)):
        return "arrow"
    return "ndjson" if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{") else "csv"


def opened(path: Path, form: Form | None, channel: str) -> Opened:
    """The input, open; the caller closes it. Raises BadAudience."""
    form = form or form_of(path)
    try:
        if form == "csv":
            return _csv(path, channel)
        if form == "ndjson":
            return _ndjson(path, channel)
        return _parquet(path, channel) if form == "parquet" else _arrow(path, channel)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise BadAudience(f"the input cannot be read as {form}: {error}"[:300]) from error


@contextmanager
def _or_closed(close: Callable[[], None]) -> Iterator[None]:
    """Closes a file if what is done with it first fails."""
    try:
        yield
    except BaseException:
        close()
        raise


def _csv(path: Path, channel: str) -> Opened:
    file = open_csv(path)
    with _or_closed(file.file.close):
        columns = columns_of(file.header, channel)
    places = [file.header.index(name) if name is not None else -1 for name in columns.names]

    def chunks() -> Iterator[Chunk]:
        cells: list[list[str]] = []
        asked: list[tuple[Any, ...]] = []
        for row, problem in file.rows:
            cells.append(row)
            asked.append(_asked([row[place] if place >= 0 else None for place in places], problem))
            if len(cells) >= TEXT_ROWS:
                yield Chunk(asked_table(asked), cells=cells)
                cells, asked = [], []
        if cells:
            yield Chunk(asked_table(asked), cells=cells)

    schema = pa.schema([(name, pa.string()) for name in file.header])
    return Opened("csv", schema, file.dialect, chunks(), file.done, file.file.close)


def _asked(values: list[str | None], problem: str) -> tuple[str | None, str | None, str | None, str | None, str | None]:
    if not problem and any(value is not None and not value.isascii() and not _is_text(value) for value in values):
        problem = "not UTF-8"
    if problem:
        return None, None, None, None, problem
    address, contact, country, brand = values
    return address, contact, country, brand, None


def _is_text(value: str) -> bool:
    return not any("\ud800" <= sign <= "\udfff" for sign in value)


def _ndjson(path: Path, channel: str) -> Opened:
    names: dict[str, None] = {}
    for _, body, _ in _objects(path):
        names.update(dict.fromkeys(body or ()))
    columns = columns_of(list(names), channel)
    raw = path.open("rb")
    file = io.TextIOWrapper(raw, encoding="utf-8-sig", errors=PASSING, newline="\n")

    def chunks() -> Iterator[Chunk]:
        lines: list[str] = []
        asked: list[tuple[Any, ...]] = []
        for line, body, problem in _objects_in(file):
            lines.append(line)
            asked.append(_asked_of(body, columns, problem))
            if len(lines) >= TEXT_ROWS:
                yield Chunk(asked_table(asked), lines=lines)
                lines, asked = [], []
        if lines:
            yield Chunk(asked_table(asked), lines=lines)

    schema = pa.schema([(name, pa.string()) for name in names])
    return Opened("ndjson", schema, Dialect(",", "\n", mark=False), chunks(), raw.tell, file.close)


def _objects(path: Path) -> Iterator[tuple[str, dict[str, Any] | None, str]]:
    with path.open(encoding="utf-8-sig", errors=PASSING, newline="\n") as file:
        yield from _objects_in(file)


def _objects_in(file: TextIO) -> Iterator[tuple[str, dict[str, Any] | None, str]]:
    """(text, object, problem) of each line that is not blank."""
    while line := file.readline(LINE_LENGTH):
        if len(line) >= LINE_LENGTH and not line.endswith("\n"):
            while (rest := file.readline(LINE_LENGTH)) and not rest.endswith("\n"):
                pass
            yield line[:200], None, f"a line is longer than {LINE_LENGTH:,} characters"
            continue
        text = line.strip()
        if text:
            yield (text, *object_of(text))


def object_of(text: str) -> tuple[dict[str, Any] | None, str]:
    """The JSON object of a line, or None and what is wrong with it."""
    try:
        body = json.loads(text, parse_constant=_refused, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        return None, f"not JSON: {error}"[:120]
    return (body, "") if isinstance(body, dict) else (None, "not a JSON object")


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _asked_of(body: dict[str, Any] | None, columns: Columns, problem: str) -> tuple[Any, ...]:
    values: list[str | None] = []
    for name in columns.names:
        value = body.get(name) if body and name is not None else None
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if value is not None and not isinstance(value, str):
            problem = problem or f"{name} is not text"
            value = None
        values.append(value)
    return _asked(values, problem)


def _parquet(path: Path, channel: str) -> Opened:
    file = pq.ParquetFile(path, memory_map=True)
    with _or_closed(file.close):
        columns = columns_of(file.schema_arrow.names, channel)
    size, rows = path.stat().st_size, max(file.metadata.num_rows, 1)
    read = 0

    def chunks() -> Iterator[Chunk]:
        nonlocal read
        for batch in file.iter_batches(batch_size=_at_once(file.metadata)):
            read += batch.num_rows
            yield _chunk(pa.Table.from_batches([batch]), columns)

    return Opened(
        "parquet", file.schema_arrow, Dialect(",", "\r\n", mark=False), _named(chunks(), "parquet"), lambda: size * read // rows, file.close
    )


def _at_once(told: pq.FileMetaData) -> int:
    """Rows of a Parquet file that are read at once: fewer where they are wide."""
    size = sum(int(told.row_group(n).total_byte_size) for n in range(told.num_row_groups))
    return max(TEXT_ROWS, min(TABLE_ROWS, TABLE_BYTES * int(told.num_rows) // max(size, 1)))


def _arrow(path: Path, channel: str) -> Opened:
    source = pa.OSFile(str(path))
    with _or_closed(source.close):
        is_file = source.read(len(_ARROW_FILE)) == _ARROW_FILE
        source.seek(0)
        reader = pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source)
        columns = columns_of(reader.schema.names, channel)

    def batches() -> Iterator[pa.RecordBatch]:
        if is_file:
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number)
        else:
            yield from reader

    def chunks() -> Iterator[Chunk]:
        for batch in batches():
            for start in range(0, batch.num_rows, TABLE_ROWS):
                yield _chunk(pa.Table.from_batches([batch.slice(start, TABLE_ROWS)]), columns)

    return Opened("arrow", reader.schema, Dialect(",", "\r\n", mark=False), _named(chunks(), "arrow"), source.tell, source.close)


def _named(chunks: Iterator[Chunk], form: str) -> Iterator[Chunk]:
    """The chunks; damage that shows itself on the way is the input's fault."""
    try:
        yield from chunks
    except (pa.ArrowException, OSError) as error:
        raise BadAudience(f"the input cannot be read as {form}: {error}"[:300]) from error


def _chunk(table: pa.Table, columns: Columns) -> Chunk:
    found = [_texts(table, name) for name in columns.names]
    found.append(pa.nulls(table.num_rows, pa.string()))
    return Chunk(pa.table(found, schema=ASKED), table=table)


def _texts(table: pa.Table, name: str | None) -> Any:
    if name is None:
        return pa.nulls(table.num_rows, pa.string())
    column = table.column(name)
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    fits = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_integer, pa.types.is_null)
    if not any(fit(kind) for fit in fits):
        raise BadAudience(f"the column {name!r} holds {column.type}, not text")
    return pc.cast(column, pa.string())
