"""The rows of a list that could not be used, kept in a CSV file beside it: safe to open in a spreadsheet, readable for its owner only."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TextIO

from sayso.commands.frame import Failed

LINE: Final = "rejected_line"
REASON: Final = "rejected_because"
SHOWN: Final = 20
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


class Rejects:
    """Counts rejected rows, keeps the first ones for showing, and writes all of them to `path` (None: to no file)."""

    def __init__(self, path: Path | None) -> None:
        self.path, self.count = path, 0
        self.first: list[dict[str, str | int]] = []
        self._header: Sequence[str] = ()
        self._file: TextIO | None = None

    def under(self, header: Sequence[str]) -> None:
        """Names the columns that the rows have."""
        self._header = header

    def add(self, line: int, reason: str, cells: Sequence[str]) -> None:
        """Keeps one row. Raises Failed when the file cannot be written."""
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append({"line": line, "reason": reason})
        if self.path is None:
            return
        if self._file is None:
            self._file = os.fdopen(self._handle(self.path), "w", encoding="utf-8", newline="")
            csv.writer(self._file).writerow([LINE, REASON, *map(harmless, self._header)])
        csv.writer(self._file).writerow([line, reason, *map(harmless, cells)])

    def _handle(self, path: Path) -> int:
        try:
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Failed(f"rejected rows cannot be kept: {error.strerror}", where=str(path), fix="--rejected PATH") from error

    def close(self) -> None:
        """Ends the file."""
        if self._file is not None:
            self._file.close()

    @property
    def written(self) -> Path | None:
        """The file, if there is anything in it."""
        return self.path if self._file is not None else None


def harmless(text: str) -> str:
    """The cell so that no spreadsheet takes it for a formula, without NUL characters and half letters."""
    text = text.replace("\0", "").encode("utf-8", "replace").decode()
    return f"'{text}" if text.startswith(_FORMULA) else text
