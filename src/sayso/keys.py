"""The secrets of an instance, files in ``keys/`` of the data folder: made at the first start, then only read.

    pepper    what subject ids are keyed with; never changes, and without it nobody is found again
    kek       key-encryption keys: wrap the data keys of personal details; exchanged, and the old one destroyed, every 30 days
    tokens    sign links and receipts; old ones are kept for ever
    permits   sign permits
    ledger    Ed25519 key that signs checkpoints, under the name (origin) of the log
    complete  names the files above, written last

A file is text: ``sayso-keys/1 <what>``, a line ``<key id> <base64>`` a key (the first one is current), ``end <checksum>``. Folder
0700, files 0600, each put in place whole. Any number of processes may load at once: one creates, all read the same.
Once ``complete`` names a file, a missing one is never made anew: that would silently orphan everything stored under it.
Back the folder up, apart from the database (docs: backup).
"""

import base64
import binascii
import contextlib
import fcntl
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sayso.rules.tokens import Ring

FORMAT: Final = "sayso-keys/1"
FILES: Final = ("pepper", "kek", "tokens", "permits", "ledger")
COMPLETE: Final = "complete"
KEK: Final = "kek"
KEY_BYTES: Final = 32
_LOCK: Final = ".lock"


class KeysUnusable(Exception):
    """The key files cannot be used as they are; the message names the file and the fix. Nothing may be answered without them."""


@dataclass(frozen=True, slots=True)
class Keys:
    """All secrets of an instance; none shows in the repr."""

    pepper: bytes = field(repr=False)
    kek_ring: Ring
    token_ring: Ring
    permit_ring: Ring
    ledger_key: Ed25519PrivateKey = field(repr=False)
    ledger_name: str


def load(data_dir: Path, *, ledger_host: str = "sayso.local", random: Callable[[int], bytes] = secrets.token_bytes) -> Keys:
    """The keys of this data folder, made first where there are none yet.

    ``ledger_host`` begins the name of a new log (``host/8 hex digits``); an existing log keeps its name.
    Raises KeysUnusable for files that are damaged, missing, or open to other users of the machine.
    """
    folder = data_dir / "keys"
    try:
        _prepare(data_dir, folder)
        if not (folder / COMPLETE).exists():
            with _locked(folder):
                _create(folder, ledger_host, random)
        return _read(folder)
    except OSError as error:
        raise KeysUnusable(f"{error.filename or folder}: {error.strerror}: make it readable and writable for this user alone") from error


def exchange(data_dir: Path, random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """The id of a new key-encryption key, which new data keys are wrapped under from now on; the ones before it still open theirs.

    Every process of this data folder finds it by itself. Raises KeysUnusable.
    """
    folder = data_dir / "keys"
    with _locked(folder):
        held = _keys(folder, KEK)
        key_id = f"k{random(3).hex()}"
        if key_id in held:
            raise KeysUnusable("the new key got the id of an old one: try again")
        _write(folder, KEK, {key_id: random(KEY_BYTES), **held})
    return key_id


def destroy_old(data_dir: Path) -> int:
    """How many key-encryption keys were destroyed: all but the newest. What still lies under one of them can never be opened again."""
    folder = data_dir / "keys"
    with _locked(folder):
        held = _keys(folder, KEK)
        newest = next(iter(held))
        if len(held) > 1:
            _write(folder, KEK, {newest: held[newest]})
    return len(held) - 1


class KekRing(Mapping[str, bytes]):
    """The key-encryption keys of a data folder as they are now: read again when the file was exchanged."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / "keys"
        self._seen: tuple[int, int, int] | None = None
        self._held: dict[str, bytes] = {}
        self._look()

    @property
    def exchanged_at(self) -> int:
        """When the file was written last, in microseconds."""
        return (self._folder / KEK).stat().st_mtime_ns // 1000

    def newest(self) -> str:
        """The key that new data keys are wrapped under."""
        self._look()
        return next(iter(self._held))

    def __getitem__(self, kid: str) -> bytes:
        if kid not in self._held:
            self._look()
        return self._held[kid]

    def __contains__(self, kid: object) -> bool:
        if kid not in self._held:
            self._look()
        return kid in self._held

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        self._look()
        return len(self._held)

    def _look(self) -> None:
        """Reads the file if it is another one than before; one that cannot be read now leaves the keys that are known."""
        try:
            found = (self._folder / KEK).stat()
            stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
            if stamp != self._seen:
                self._held, self._seen = _keys(self._folder, KEK), stamp
        except (OSError, KeysUnusable):
            if not self._held:
                raise


def check_value(pepper: bytes) -> bytes:
    """The 32 bytes the database remembers of a pepper, so that a start with another one is refused; they do not reveal it."""
    return hmac.digest(pepper, b"sayso/pepper-check/1", "sha256")


def _prepare(data_dir: Path, folder: Path) -> None:
    # As root the embedded server runs as another user, who has to pass through the data folder.
    data_dir.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    _refuse_open(folder, "700")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _create(folder: Path, ledger_host: str, random: Callable[[int], bytes]) -> None:
    """Make what is missing; call with the lock held. What a crash left of a first creation is kept."""
    if (folder / COMPLETE).exists():
        return
    for name in FILES:
        if not (folder / name).exists():
            key_id = f"{ledger_host}/{random(4).hex()}" if name == "ledger" else f"k{random(3).hex()}"
            _write(folder, name, {key_id: random(KEY_BYTES)})
    _write(folder, COMPLETE, dict.fromkeys(FILES, b""))


def _read(folder: Path) -> Keys:
    made = _keys(folder, COMPLETE)
    if missing := [name for name in made if not (folder / name).exists()]:
        raise KeysUnusable(f"{folder / missing[0]} is missing: restore it from your backup (it is not made anew, that would lose people)")
    pepper = next(iter(_keys(folder, "pepper").values()))
    name, seed = next(iter(_keys(folder, "ledger").items()))
    rings = {purpose: _ring(folder, purpose) for purpose in ("kek", "tokens", "permits")}
    return Keys(pepper, rings["kek"], rings["tokens"], rings["permits"], Ed25519PrivateKey.from_private_bytes(seed), name)


def _ring(folder: Path, purpose: str) -> Ring:
    found = _keys(folder, purpose)
    try:
        return Ring(next(iter(found)), found)
    except ValueError as error:
        raise KeysUnusable(f"{folder / purpose}: {error}") from None


def _write(folder: Path, name: str, keys: Mapping[str, bytes]) -> None:
    body = "".join([f"{FORMAT} {name}\n", *(f"{key_id} {base64.b64encode(secret).decode()}\n" for key_id, secret in keys.items())])
    temporary = folder / f".{name}.new"
    temporary.unlink(missing_ok=True)  # the lock is ours, so it is what a crash left
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(f"{body}end {_checksum(body)}\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / name)
    parent = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def _keys(folder: Path, name: str) -> dict[str, bytes]:
    """Key id → secret of one file, the current first; raises KeysUnusable unless every byte of it is as it was written."""
    place = folder / name
    _refuse_open(place, "600")
    damaged = KeysUnusable(f"{place} is damaged or cut off: restore it from your backup")
    body, end, checksum = place.read_bytes().decode("ascii", "replace").rpartition("end ")
    lines = body.splitlines()
    if not end or checksum != _checksum(body) + "\n" or len(lines) < 2:
        raise damaged
    if lines[0] != f"{FORMAT} {name}":
        raise KeysUnusable(f"{place} begins with {lines[0]!r} instead of '{FORMAT} {name}': the file belongs elsewhere")
    found: dict[str, bytes] = {}
    for line in lines[1:]:
        key_id, _, text = line.partition(" ")
        try:
            found[key_id] = base64.b64decode(text, validate=True)
        except binascii.Error:
            raise damaged from None
    if name != COMPLETE and any(len(secret) != KEY_BYTES for secret in found.values()):
        raise damaged
    return found


def _checksum(body: str) -> str:
    return hashlib.sha256(body.encode("ascii", "replace")).hexdigest()[:16]


def _refuse_open(place: Path, wanted: str) -> None:
    mode = stat.S_IMODE(place.stat().st_mode)
    if mode & 0o077:
        raise KeysUnusable(
            f"{place} is open to other users (mode {mode:o}): run chmod {wanted} {place}, and think about who may have read it"
        )
