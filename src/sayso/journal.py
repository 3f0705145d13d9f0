"""The journal of erasures: a file beside the database, so that a backup that is put back forgets everybody again whom it brought back.

``erasures`` in the data folder holds one line a completed erasure and subject: ``<subject id> <kind> <pseudonym> <microseconds>``. No
name, no address: the id is a keyed hash, and the key lies in ``keys/``. Back the file up with the keys, apart from the database.
"""

import fcntl
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sayso.contracts.privacy import JournalUnwritable, Remains

NAME: Final = "erasures"
_LINE: Final = re.compile(r"([0-9a-f]{64}) ([a-z_]{1,32}) ([0-9a-f]{32}) (\d{1,18})")


@dataclass(frozen=True, slots=True)
class JournalFile:
    """The journal of one data folder."""

    path: Path

    @classmethod
    def of(cls, data_dir: Path) -> "JournalFile":
        """The journal that lies in a data folder."""
        return cls(data_dir / NAME)

    def keep(self, remains: Sequence[Remains]) -> None:
        """Keeps lines so that they survive a crash right after the return. Raises JournalUnwritable."""
        try:
            self._append(remains)
        except OSError as error:
            raise JournalUnwritable(f"{self.path}: {error.strerror}") from error

    def _append(self, remains: Sequence[Remains]) -> None:
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            lines = "".join(f"{one.id.hex()} {one.kind} {one.sub} {one.at}\n" for one in remains)
            # A line that a crash cut off stays behind alone and is passed over when it is read.
            os.write(handle, b"\n" * self._is_cut() + lines.encode())
            os.fsync(handle)
        finally:
            os.close(handle)

    def kept(self) -> Sequence[Remains]:
        """The newest line of each subject; lines that a crash cut off are passed over."""
        if not self.path.exists():
            return ()
        newest: dict[bytes, Remains] = {}
        for line in self.path.read_text(encoding="ascii", errors="replace").splitlines():
            if found := _LINE.fullmatch(line):
                one = Remains(bytes.fromhex(found[1]), found[2], found[3], int(found[4]))
                if one.id not in newest or newest[one.id].at <= one.at:
                    newest[one.id] = one
        return tuple(newest.values())

    def _is_cut(self) -> bool:
        """Whether the last line has no end."""
        with self.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if size == 0:
                return False
            file.seek(size - 1)
            return file.read(1) != b"\n"
