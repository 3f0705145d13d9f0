"""Somebody's CSV file, read as a stream in bounded memory: encoding and delimiter found out, every row numbered, broken rows named.

Nothing is dropped silently: a line that is too long, a quote that is never closed, a row with more fields than columns become rows with
a problem, and reading goes on behind them.
"""

import codecs
import csv
import io
import stat
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LINE_LENGTH: Final = 1_048_576
"""Characters of the longest line that is read; the rest of a longer one is skipped, and the row refused."""
ROW_LINES: Final = 200
"""Lines that one row may take (line breaks stand in quotes); a quote that is not closed by then is taken for a broken row."""
DELIMITERS: Final = (",", ";", "\t", "|")
_BLOCK: Final = 1_048_576
_PACKED: Final = (
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook"), (b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"),
    (b"7z\xbc\xaf", "a 7-Zip archive"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\xd0\xcf\x11\xe0", "an Excel workbook"), (b"%PDF", "a PDF"),
)  # fmt: skip


class BadFile(Exception):
    """The file cannot be read as CSV; the text tells how to mend it."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """One row and the line it begins on (from 1). `problem` says why its cells cannot be used."""

    line: int
    cells: list[str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """What was found out about a file: `bytes` in all, how it is encoded, what stands between its fields."""

    bytes: int
    encoding: str
    delimiter: str


@dataclass(slots=True)
class CsvFile:
    """An open file: its shape, its rows, and how many bytes of it were read so far."""

    shape: Shape
    rows: Iterator[Numbered]
    done: Callable[[], int]


@contextmanager
def reading(path: Path) -> Iterator[CsvFile]:
    """The file, open until the block ends. Raises BadFile."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise BadFile(f"{path} is {'a folder' if path.is_dir() else 'no regular file'}: name a CSV file")
        encoding, size = _encoding(path)
        raw = path.open("rb")
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror or error}") from error
    with raw, io.TextIOWrapper(raw, encoding=encoding, errors="replace") as text:
        lines = _Lines(text)
        delimiter = _delimiter(lines)
        yield CsvFile(Shape(size, encoding, delimiter), _rows(lines, delimiter), raw.tell)


def _encoding(path: Path) -> tuple[str, int]:
    """How the file is encoded, and its length. Everything is looked at: what is not UTF-8 from its start to its end is Latin-1."""
    size = 0
    decoder = codecs.getincrementaldecoder("utf-8")()
    encoding = "utf-8-sig"
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            if size == 0:
                for magic, name in _PACKED:
                    if block.startswith(magic):
                        raise BadFile(f"{path} is {name}: unpack or export it as CSV first")
                if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                    return "utf-16", path.stat().st_size
                if (guess := _sixteen(block[:400])) is not None:
                    return guess, path.stat().st_size
            size += len(block)
            if encoding == "utf-8-sig":
                encoding = _still_utf8(decoder, block)
    if size == 0:
        raise BadFile(f"{path} is empty")
    if encoding == "utf-8-sig":
        encoding = _still_utf8(decoder, b"", final=True)
    return encoding, size


def _sixteen(start: bytes) -> str | None:
    """UTF-16 without a mark, told by its empty halves: every other byte of a header is zero."""
    halves = start[0::2], start[1::2]
    empty = [half.count(0) / max(len(half), 1) for half in halves]
    if empty[0] < 0.2 and empty[1] > 0.6:
        return "utf-16-le"
    return "utf-16-be" if empty[1] < 0.2 and empty[0] > 0.6 else None


def _still_utf8(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool = False) -> str:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8-sig"


class _Lines:
    """Lines with their numbers, each at most LINE_LENGTH long; lines can be given back."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text, self._number = text, 0
        self._back: deque[tuple[int, str, bool]] = deque()

    def next(self) -> tuple[int, str, bool] | None:
        """(number, line with its end, whether it was too long), or None at the end."""
        if self._back:
            return self._back.popleft()
        line = self._text.readline(LINE_LENGTH)
        if not line:
            return None
        self._number += 1
        if len(line) < LINE_LENGTH or line.endswith("\n"):
            return self._number, line, False
        start = line[:200]
        while (line := self._text.readline(LINE_LENGTH)) and not line.endswith("\n"):
            pass
        return self._number, start, True

    def give_back(self, lines: list[tuple[int, str, bool]]) -> None:
        self._back.extendleft(reversed(lines))


def _delimiter(lines: _Lines) -> str:
    """What stands between the fields of the first line that has any; a comma when nothing does. Reads Excel's own `sep=;` line."""
    seen: list[tuple[int, str, bool]] = []
    found = ","
    while (line := lines.next()) is not None:
        text = line[1].strip("\r\n")
        if text.lower().startswith("sep=") and len(text) == 5 and not seen:
            found = text[4]
            break
        seen.append(line)
        if text.strip():
            outside = "".join(text.split('"')[::2])
            found = max(DELIMITERS, key=outside.count)
            break
        if len(seen) > ROW_LINES:
            break
    lines.give_back(seen)
    return found


def _rows(lines: _Lines, delimiter: str) -> Iterator[Numbered]:
    while (first := lines.next()) is not None:
        number, text, is_too_long = first
        if is_too_long:
            yield Numbered(number, [text], f"the line is longer than {LINE_LENGTH:,} characters")
        elif text.strip(" \r\n\t" + delimiter):
            yield _row(lines, first, delimiter)


def _row(lines: _Lines, first: tuple[int, str, bool], delimiter: str) -> Numbered:
    """One row, of as many lines as its quotes hold together; if they never close, the first line is broken and the others are rows."""
    taken = [first]
    unclosed = False

    def feed() -> Iterator[str]:
        nonlocal unclosed
        yield first[1]
        while len(taken) < ROW_LINES and (line := lines.next()) is not None:
            taken.append(line)
            if line[2]:
                break
            yield line[1]
        unclosed = True

    try:
        cells = next(csv.reader(feed(), delimiter=delimiter))
    except csv.Error as error:
        lines.give_back(taken[1:])
        return Numbered(first[0], [first[1][:200]], f"not CSV: {error}")
    if unclosed:
        lines.give_back(taken[1:])
        return Numbered(first[0], [first[1][:200]], "a quotation mark is opened and not closed")
    return Numbered(first[0], cells)
