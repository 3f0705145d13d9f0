"""Anchors in files: signed checkpoints kept outside the database, so that an old or rewritten database is noticed.

One folder an origin: `checkpoint` is the newest note, `checkpoint-<hour>` the last one of each hour (UTC). Each is written to a new
file, flushed to disk and renamed, and the folder is flushed too: a crash leaves the old or the new note, never half of one.
Copy the folder elsewhere: whoever can write both it and the database can rewrite history together with its signature key.
"""

import asyncio
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_NEWEST = "checkpoint"
_PLAIN = re.compile(r"[^A-Za-z0-9.-]+")


@dataclass(frozen=True, slots=True)
class AnchorFolder:
    """The anchors of one origin under `folder` (made on first use, readable by its owner only)."""

    folder: Path

    @classmethod
    def of(cls, data_dir: Path, origin: str) -> "AnchorFolder":
        """The anchors of this origin in a data folder. Origins that differ never share a folder, whatever characters they have."""
        mark = hashlib.sha256(origin.encode()).hexdigest()[:8]
        return cls(data_dir / "anchor" / f"{_PLAIN.sub('_', origin)[:80]}-{mark}")

    async def last(self) -> str | None:
        """The newest note that was kept; None when there is none yet."""
        return await asyncio.to_thread(_read, self.folder / _NEWEST)

    async def kept(self) -> Sequence[str]:
        """The last note of each hour, oldest first, then the newest."""
        return await asyncio.to_thread(self._kept)

    async def keep(self, note: str, at: int) -> None:
        """Keeps a note as the newest and as that of its hour; on return it is on disk."""
        await asyncio.to_thread(self._keep, note, at)

    def _kept(self) -> list[str]:
        notes = [_read(path) for path in (*sorted(self.folder.glob(f"{_NEWEST}-*Z")), self.folder / _NEWEST)]
        return [note for note in notes if note is not None]

    def _keep(self, note: str, at: int) -> None:
        hour = datetime.fromtimestamp(at // 1_000_000, UTC).strftime("%Y%m%dT%HZ")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in (_NEWEST, f"{_NEWEST}-{hour}"):
            _write(self.folder / name, note)
        _flush_folder(self.folder)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(handle)
    fresh.replace(path)


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
