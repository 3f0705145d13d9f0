"""Signed notes and checkpoints: texts with Ed25519 signatures that public tools can check.

A note is its text, an empty line and lines `— <name> <base64(key id ∥ signature)>`. Keys are values; where they are kept is not
decided here. Source: C2SP signed-note v1, tlog-checkpoint, tlog-cosignature (key type 4, verified only).
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = 1
COSIGNATURE = 4
_KEY_BYTES = 32
_ID_BYTES = 4
_SIGNATURE_BYTES = 64
_TIME_BYTES = 8
_NOTE_BYTES_MAX = 1_000_000
_SIGNATURES_MAX = 100
_SIZE_END = 1 << 64
_DASH = "\u2014 "
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,19}", re.ASCII)
_KEY_ID = re.compile(r"[0-9a-f]{8}", re.ASCII)


class NoteMalformed(ValueError):
    """The bytes are no signed note, verifier key or checkpoint."""


class NoteRefused(ValueError):
    """A well-formed note that no known key signed, or whose signature by a known key is wrong."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with its name: `kind` 1 (Ed25519) or 4 (witness cosignature), `public` 32 bytes."""

    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        """The 4 bytes that name this key in signature lines."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:_ID_BYTES]


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: key name, 4-byte key id, signature bytes."""

    name: str
    key_id: bytes
    blob: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note: text (ends in a newline) and its signatures, none of them verified yet."""

    text: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says about itself: origin, number of leaves, 32-byte root, extension lines."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()


def key_of(name: str, private: Ed25519PrivateKey) -> VerifierKey:
    """The verifier key that belongs to a signing key. Raises NoteMalformed for a name that C2SP forbids."""
    _check_name(name)
    return VerifierKey(name, ED25519, private.public_key().public_bytes_raw())


def key_text(key: VerifierKey) -> str:
    """The verifier key as one line: name+key id+base64."""
    return f"{key.name}+{key.id.hex()}+{base64.b64encode(bytes([key.kind]) + key.public).decode()}"


def parse_key(text: str) -> VerifierKey:
    """The verifier key in this line. Raises NoteMalformed, also when its key id is not the one its bytes give."""
    parts = text.split("+", 2)
    if len(parts) != 3 or not _KEY_ID.fullmatch(parts[1]):
        raise NoteMalformed("a verifier key is name+8 hex digits+base64")
    _check_name(parts[0])
    data = from_base64(parts[2])
    if len(data) != 1 + _KEY_BYTES or data[0] not in (ED25519, COSIGNATURE):
        raise NoteMalformed("the verifier key is of an unknown type")
    key = VerifierKey(parts[0], data[0], data[1:])
    if key.id.hex() != parts[1]:
        raise NoteMalformed("the verifier key does not have the key id it names")
    return key


def sign(text: str, name: str, private: Ed25519PrivateKey) -> str:
    """The note with this text, signed by one key. Raises NoteMalformed for a text or name that C2SP forbids."""
    _check_text(text)
    key = key_of(name, private)
    blob = base64.b64encode(key.id + private.sign(text.encode())).decode()
    return f"{text}\n{_DASH}{name} {blob}\n"


def parse_note(data: bytes) -> Note:
    """The note in these bytes, unverified. Raises NoteMalformed."""
    if len(data) > _NOTE_BYTES_MAX:
        raise NoteMalformed(f"a note has at most {_NOTE_BYTES_MAX} bytes")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoteMalformed("a note is UTF-8") from error
    text, gap, lines = whole.rpartition("\n\n")
    if not gap or not lines.endswith("\n"):
        raise NoteMalformed("a note is a text, an empty line and signature lines")
    _check_text(text + "\n")
    rows = lines[:-1].split("\n")
    if len(rows) > _SIGNATURES_MAX:
        raise NoteMalformed(f"a note has at most {_SIGNATURES_MAX} signatures")
    return Note(text + "\n", tuple(_parse_signature(row) for row in rows))


def open_note(data: bytes, keys: Sequence[VerifierKey]) -> tuple[Note, tuple[VerifierKey, ...]]:
    """The note in these bytes and the known keys that signed it, at least one.

    Unknown keys are ignored. Raises NoteMalformed; NoteRefused when a known key's signature is wrong or none is by a known key.
    """
    note = parse_note(data)
    known = {(key.name, key.id): key for key in keys}
    found: dict[VerifierKey, None] = {}
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None:
            continue
        if not _is_signed(note.text, signature.blob, key):
            raise NoteRefused(f"the signature by {key.name} is wrong")
        found[key] = None
    if not found:
        raise NoteRefused("no known key signed this note")
    return note, tuple(found)


def checkpoint_text(checkpoint: Checkpoint) -> str:
    """The note text of a checkpoint. Raises NoteMalformed where a reader would have to refuse it."""
    lines = [checkpoint.origin, str(checkpoint.size), base64.b64encode(checkpoint.root).decode(), *checkpoint.extensions]
    text = "".join(f"{line}\n" for line in lines)
    if parse_checkpoint(text) != checkpoint:
        raise NoteMalformed("an extension is one non-empty line")
    return text


def parse_checkpoint(text: str, root_bytes: int | None = _KEY_BYTES) -> Checkpoint:
    """The checkpoint in a note text. Raises NoteMalformed. `root_bytes` None takes roots of other hash functions too."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() or not all(lines):
        raise NoteMalformed("a checkpoint is at least three non-empty lines")
    origin, size, root, *extensions = lines
    _check_name(origin)
    if not _DECIMAL.fullmatch(size) or int(size) >= _SIZE_END:
        raise NoteMalformed("a tree size is a decimal number below 2^64 without leading zeros")
    data = from_base64(root)
    if root_bytes is not None and len(data) != root_bytes:
        raise NoteMalformed(f"a root hash has {root_bytes} bytes")
    return Checkpoint(origin, int(size), data, tuple(extensions))


def open_checkpoint(data: bytes, key: VerifierKey) -> Checkpoint:
    """The checkpoint in a note that the log's own key signed; its origin is the key's name. Raises NoteMalformed, NoteRefused."""
    note, _ = open_note(data, [key])
    found = parse_checkpoint(note.text)
    if found.origin != key.name:
        raise NoteRefused(f"the checkpoint is of {found.origin}, not of {key.name}")
    return found


def from_base64(text: str) -> bytes:
    """The bytes of standard, padded base64 in its one canonical form. Raises NoteMalformed."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteMalformed("that is no base64") from error
    if base64.b64encode(data).decode() != text:
        raise NoteMalformed("base64 has one canonical form, this is another")
    return data


def _parse_signature(row: str) -> Signature:
    name, space, encoded = row.removeprefix(_DASH).partition(" ")
    if not row.startswith(_DASH) or not space:
        raise NoteMalformed("a signature line is a dash, a key name and base64")
    _check_name(name)
    data = from_base64(encoded)
    if len(data) <= _ID_BYTES:
        raise NoteMalformed("a signature line has a key id and a signature")
    return Signature(name, data[:_ID_BYTES], data[_ID_BYTES:])


def _is_signed(text: str, blob: bytes, key: VerifierKey) -> bool:
    message = text.encode()
    if key.kind == COSIGNATURE:
        if len(blob) != _TIME_BYTES + _SIGNATURE_BYTES:
            return False
        seconds = int.from_bytes(blob[:_TIME_BYTES], "big")
        message, blob = f"cosignature/v1\ntime {seconds}\n{text}".encode(), blob[_TIME_BYTES:]
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(blob, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _check_name(name: str) -> None:
    if not name or "+" in name or any(letter.isspace() or letter < " " for letter in name):
        raise NoteMalformed("a key name or origin is not empty and has no spaces, control characters or plus signs")


def _check_text(text: str) -> None:
    if not text.endswith("\n") or any(letter < " " and letter != "\n" for letter in text):
        raise NoteMalformed("a note text ends in a newline and has no control characters")
