"""The decision snapshot on disk: `snapshot/` of the data folder, one Parquet file of subjects and one JSON file that names it.

A subject's line is the first 16 bytes of its id (an HMAC), its only contact's, the number of its contacts, the number of its profile and
whether it may deny as a look-alike. The JSON file holds the profiles. Neither holds personal data. A new snapshot is written beside the
old one and put in force by renaming the JSON file, so a reader finds one or the other, whole.
"""

import json
import os
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from sayso.contracts.audience import Line, Revision, Stand
from sayso.rules.audience import UNSURE, Profile, from_json, to_json

VERSION: Final = 1
NAMES: Final = "in-force.json"
KEPT: Final = 3
"""Snapshots that stay: screenings that began with an older one may still be reading it."""
PROFILES_MAX: Final = 200_000
"""Different profiles a snapshot holds; whoever would need one more is judged by the gate each time."""
KEY_BYTES: Final = 16
LINES: Final = pa.schema(
    [("k", pa.binary(KEY_BYTES)), ("owner", pa.binary(KEY_BYTES)), ("owners", pa.uint8()), ("profile", pa.int32()), ("shadow", pa.bool_())]
)
_MANY: Final = 255
PIECE_ROWS: Final = 100_000
"""Subjects of a piece that are taken at a time."""
ABANDONED: Final = 86_400.0
"""Seconds after which a snapshot that nobody finished is removed."""


@dataclass(frozen=True, slots=True)
class Held:
    """A snapshot as it lies on disk: its stand, its Parquet file, its profiles by number."""

    stand: Stand
    people: Path
    profiles: tuple[Profile, ...] = field(repr=False)


def read(folder: Path, name: str = NAMES) -> Held | None:
    """The snapshot that a file names; None when there is none, or none that can be read: then it is made anew."""
    try:
        body = json.loads((folder / name).read_bytes())
        if body["version"] != VERSION:
            return None
        stand = Stand(body["name"], body["recipe"], Revision(*body["revision"]), body["subjects"])
        people = folder / f"{stand.name}.parquet"
        if pq.read_metadata(people).num_rows != stand.subjects:
            return None
        return Held(stand, people, tuple(map(from_json, body["profiles"])))
    except (OSError, ValueError, TypeError, KeyError, pa.ArrowException):
        return None


class Interned:
    """Profiles by number, each once."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self.all = list(profiles)
        self._numbers = {profile: number for number, profile in enumerate(self.all)}

    def number(self, profile: Profile) -> int:
        """The number of a profile, a new one where it is new."""
        found = self._numbers.get(profile)
        if found is None:
            if len(self.all) >= PROFILES_MAX:
                return UNSURE
            found = self._numbers[profile] = len(self.all)
            self.all.append(profile)
        return found

    def table(self, lines: Sequence[Line]) -> pa.Table:
        """Subjects as rows of the snapshot."""
        columns: list[list[Any]] = [
            [line.id[:KEY_BYTES] for line in lines],
            [line.owner[:KEY_BYTES] or None for line in lines],
            [min(line.owners, _MANY) for line in lines],
            [self.number(line.profile) for line in lines],
            [line.shadow for line in lines],
        ]
        return pa.table([pa.array(column, field.type) for column, field in zip(columns, LINES, strict=True)], schema=LINES)


class FolderDraft:
    """A snapshot being written, over the lines of `base` where one is given."""

    def __init__(self, folder: Path, profiles: Sequence[Profile], base: Held | None) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self._folder, self._base = folder, base
        self._name = f"{secrets.token_hex(8)}"
        self._interned = Interned(base.profiles if base else profiles)
        self._rows = 0
        self._is_left = False
        self._place = folder / f"{self._name}.new"
        self._file: pq.ParquetWriter | None = pq.ParquetWriter(self._place, LINES, compression="none", use_dictionary=["profile"])

    def add(self, lines: Sequence[Line]) -> None:
        """Takes more subjects; one that comes twice would be found twice, so it must not."""
        assert self._file is not None  # nothing is added after it was kept
        if lines:
            self._file.write_table(self._interned.table(lines))
            self._rows += len(lines)

    def leave(self) -> str:
        """Ends it as a piece that another draft takes."""
        assert self._file is not None  # left once
        self._file.close()
        self._file = None
        _piece(self._place).write_text(json.dumps([to_json(one) for one in self._interned.all], separators=(",", ":")), encoding="utf-8")
        self._is_left = True
        return self._name

    def take(self, piece: str) -> None:
        """Takes the subjects of a piece, their profiles under the numbers that they have here."""
        assert self._file is not None  # nothing is taken after it was kept
        place = self._folder / f"{piece}.new"
        numbers = pa.array([self._interned.number(from_json(one)) for one in json.loads(_piece(place).read_bytes())], pa.int32())
        at = LINES.get_field_index("profile")
        with pq.ParquetFile(place) as file:
            for batch in file.iter_batches(batch_size=PIECE_ROWS):
                self._file.write_batch(batch.set_column(at, LINES.field(at), numbers.take(batch.column(at))))
                self._rows += batch.num_rows
        for part in (place, _piece(place)):
            part.unlink()

    def keep(self, recipe: str, revision: Revision) -> Stand:
        """Puts the snapshot in force."""
        assert self._file is not None  # kept once
        self._file.close()
        self._file = None
        people = self._folder / f"{self._name}.parquet"
        if self._base is not None:
            self._merge(self._base.people)
        _sync(self._place)
        self._place.replace(people)
        stand = Stand(self._name, recipe, revision, self._rows)
        body = {
            "version": VERSION, "name": stand.name, "recipe": recipe, "subjects": self._rows,
            "revision": [revision.log, revision.log_size, revision.head, revision.at], "profiles": [to_json(one) for one in self._interned.all],
        }  # fmt: skip
        for name in (f"{self._name}.json", NAMES):
            fresh = self._folder / f"{self._name}.name"
            fresh.write_text(json.dumps(body, separators=(",", ":")), encoding="utf-8")
            _sync(fresh)
            fresh.replace(self._folder / name)
        self._forget()
        return stand

    def close(self) -> None:
        """Throws away what was neither kept nor left."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if not self._is_left:
            self._place.unlink(missing_ok=True)

    def _merge(self, base: Path) -> None:
        """Adds to the new lines those of the old snapshot that they do not replace."""
        whole = self._folder / f"{self._name}.whole"
        with duckdb.connect(config={"threads": os.cpu_count() or 1}) as database:
            old, new = (f"read_parquet('{_quoted(place)}')" for place in (base, self._place))
            chosen = f"SELECT * FROM {old} o WHERE NOT EXISTS (SELECT 1 FROM {new} n WHERE n.k = o.k) UNION ALL SELECT * FROM {new}"
            database.execute(f"COPY ({chosen}) TO '{_quoted(whole)}' (FORMAT parquet, COMPRESSION uncompressed)")
        whole.replace(self._place)
        self._rows = pq.read_metadata(self._place).num_rows

    def _forget(self) -> None:
        """Removes all but the newest snapshots, and what processes that were killed left."""
        for left in [left for kind in ("new", "piece", "whole", "name") for left in self._folder.glob(f"*.{kind}")]:
            with suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > ABANDONED:
                    left.unlink()
        places = sorted(self._folder.glob("*.parquet"), key=lambda place: place.stat().st_mtime, reverse=True)
        for place in places[KEPT:]:
            for old in (place, place.with_suffix(".json")):
                with suppress(FileNotFoundError):
                    old.unlink()


def _piece(place: Path) -> Path:
    """Where the profiles of a piece stand, beside its subjects."""
    return place.with_suffix(".piece")


def _quoted(place: Path) -> str:
    return str(place).replace("'", "''")


def _sync(place: Path) -> None:
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
