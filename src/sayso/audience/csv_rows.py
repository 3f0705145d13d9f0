"""A CSV file as rows, in bounded memory. Nothing is lost: what is no row comes back as its text with a problem, and reading goes on.

UTF-8, with or without a byte order mark; bytes that are not UTF-8 pass through unchanged, but such a row is not judged. The delimiter is
found out from the first line.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from sayso.contracts.audience import BadAudience

DELIMITERS: Final = (",", ";", "\t", "|")
LINE_LENGTH: Final = 1 << 20
ROW_LINES: Final = 200
"""Lines one row may take; a quote that is not closed by then is taken for a broken row of one line."""
PASSING: Final = "surrogateescape"
"""How bytes that are not UTF-8 are carried through text."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is written, so that the result can be written the same way."""

    delimiter: str
    end: str
    mark: bool


@dataclass(slots=True)
class CsvRows:
    """An open file: its dialect, its header, its rows as (cells, problem)."""

    dialect: Dialect
    header: list[str]
    rows: Iterator[tuple[list[str], str]]
    file: TextIO

    def done(self) -> int:
        """Bytes read so far."""
        return self.file.buffer.tell()


def open_csv(path: Path) -> CsvRows:
    """The file, open; the caller closes it. Raises BadAudience when its first line is no header."""
    with path.open("rb") as raw:
        head = raw.read(4_096)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in head:
        raise BadAudience("the input is not CSV in UTF-8: save it as CSV (UTF-8)")
    mark = head.startswith(b"\xef\xbb\xbf")
    file = path.open(encoding="utf-8-sig" if mark else "utf-8", errors=PASSING, newline="")
    first = file.readline(LINE_LENGTH)
    outside = "".join(first.split('"')[::2])
    dialect = Dialect(max(DELIMITERS, key=outside.count), "\r\n" if first.endswith("\r\n") or not first.endswith("\n") else "\n", mark)
    file.seek(0)
    rows = _rows(file, dialect.delimiter)
    header, problem = next(rows, ([], "it is empty"))
    if problem:
        file.close()
        raise BadAudience(f"the first line is no header: {problem}")
    return CsvRows(dialect, header, _fitted(rows, len(header)), file)


def _fitted(rows: Iterator[tuple[list[str], str]], width: int) -> Iterator[tuple[list[str], str]]:
    """Rows of as many cells as there are columns: missing ones are empty, one too many makes the row unreadable."""
    for cells, problem in rows:
        if len(cells) == width and not problem:
            yield cells, problem
        elif problem or len(cells) < width:
            yield (cells + [""] * (width - len(cells)))[:width], problem
        else:
            said = f"{len(cells)} fields, but {width} columns: put quotation marks around fields with a delimiter"
            yield [*cells[: width - 1], "".join(cells[width - 1 :])], said


def _rows(file: TextIO, delimiter: str) -> Iterator[tuple[list[str], str]]:
    """Rows as the reader finds them; lines behind a broken one are read again as rows of their own."""
    back: list[str] = []
    taken: list[str] = []

    def feed() -> Iterator[str]:
        while len(taken) < ROW_LINES:
            line = back.pop() if back else file.readline(LINE_LENGTH)
            if not line:
                return
            taken.append(line)
            yield line

    while True:
        reader = csv.reader(feed(), delimiter=delimiter, strict=True)
        try:
            for cells in reader:
                ended = taken[-1].endswith(("\n", "\r")) or len(taken[-1]) < LINE_LENGTH
                taken.clear()
                if not ended:
                    yield [cells[0] if cells else ""], f"a line is longer than {LINE_LENGTH:,} characters"
                    _skip(file)
                elif cells:
                    yield cells, ""
        except csv.Error as error:
            back.extend(reversed(taken[1:]))
            text = taken[0].rstrip("\r\n")
            taken.clear()
            yield [text], f"not CSV: {error}"
            continue
        if not taken:
            return


def _skip(file: TextIO) -> None:
    """Reads on to the end of a line that is too long."""
    while (rest := file.readline(LINE_LENGTH)) and not rest.endswith("\n"):
        pass
