"""Tokens: links, permits and receipts that we sign and later believe, and the opaque secrets that we hand out once.

A signed token is ``version.kid.payload.mac`` in unpadded base64url. The MAC is HMAC-SHA-256 cut to 16 bytes over version, key id and
plain payload. Version 1 travels encrypted (AES-CTR with the MAC as synthetic IV, the SIV construction of RFC 5297), because a
category or campaign name in a URL tells more than nothing; version 2 does not: permits and receipts name nobody. The same claims always
give the same token. The first payload byte is the kind, so a token never passes for one of another kind; bytes 1–5 are the expiry in epoch seconds, 0 for never.
Keys of opt-out links are kept for ever: rotation adds a key to the ring and removes none.
Secrets are SHA-256 hashed for storage (256 random bits need no slow hash). No chance and no clock here.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal
from uuid import UUID

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from sayso.rules.keyed_hash import KeyedHash
from sayso.rules.times import SECOND
from sayso.rules.words import Scope

HIDDEN: Final = "1"
"""The version of tokens whose payload is encrypted too: what lies in a mail must not tell whoever reads over a shoulder."""
OPEN: Final = "2"
"""The version of tokens whose payload can be read: permits name a check, receipts the entries that stand beside them; neither names anybody."""
TOKEN_LENGTH: Final = 4_096
SECRET_BYTES: Final = 32

Kind = Literal["link", "fresh_link", "permit", "receipt", "form", "undo", "confirm"]
Reason = Literal["malformed", "unknown_key", "forged", "wrong_kind", "expired"]

_KINDS: Final[Mapping[Kind, int]] = {"link": 1, "fresh_link": 2, "permit": 3, "receipt": 4, "form": 5, "undo": 6, "confirm": 7}
_OPENLY: Final = frozenset({"permit", "receipt"})
_KIND_OF: Final = {byte: kind for kind, byte in _KINDS.items()}
_HEAD = 6
_MAC = 16
_KID = re.compile(r"[a-z0-9]{1,16}")


class BadToken(ValueError):
    """A token that proves nothing. ``reason`` is for logs and for ``permits:verify``; ``token`` is set when it is merely expired."""

    def __init__(self, reason: Reason, token: "Token | None" = None) -> None:
        super().__init__(reason)
        self.reason: Reason = reason
        self.token = token


@dataclass(frozen=True, slots=True)
class Ring:
    """Signing keys by key id, and the id of the one that signs. Old ones go on verifying. Secrets stay out of the repr."""

    current: str
    secrets: Mapping[str, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a ring that could sign nothing or sign weakly."""
        if self.current not in self.secrets:
            raise ValueError(f"the signing key {self.current!r} is not in the ring")
        for kid, secret in self.secrets.items():
            if not _KID.fullmatch(kid) or len(secret) < SECRET_BYTES:
                raise ValueError(f"key {kid!r}: an id of a-z and 0-9 (at most 16) and at least {SECRET_BYTES} bytes are needed")


@dataclass(frozen=True, slots=True)
class Token:
    """What a signed token says: its kind, its payload, and when it ends (µs, whole seconds; None: never)."""

    kind: Kind
    payload: bytes
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class Link:
    """What a link in a message is about: pseudonyms (16 bytes) of the contact and of the address, the scope, and the message it was in."""

    contact: bytes | None
    address: bytes | None
    scope: Scope
    campaign: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Undo:
    """The right to take back one act: pseudonyms of whom it was about, and its entries (a twin is named by its first)."""

    contact: bytes | None
    address: bytes | None
    entries: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Permit:
    """A positive verdict to show: the check, a hash of what it was about, and the end of its life (µs)."""

    check: UUID
    about: bytes
    expires_at: int

    def covers(self, channel: str, category: str) -> bool:
        """Whether the permit was given for this channel and category."""
        return hmac.compare_digest(self.about, _about(channel, category))


def sign(ring: Ring, kind: Kind, payload: bytes, *, expires_at: int | None) -> str:
    """The token that says ``payload``; the same arguments give the same token. ``expires_at`` (µs) is cut to whole seconds."""
    seconds = 0 if expires_at is None else max(expires_at // SECOND, 1)
    plain = bytes([_KINDS[kind]]) + seconds.to_bytes(_HEAD - 1) + payload
    secret = ring.secrets[ring.current]
    version = OPEN if kind in _OPENLY else HIDDEN
    mac = _mac(secret, version, ring.current, plain)
    body = plain if version == OPEN else _crypt(secret, mac, plain)
    token = f"{version}.{ring.current}.{_encode(body)}.{_encode(mac)}"
    if len(token) > TOKEN_LENGTH:
        raise ValueError(f"a token has at most {TOKEN_LENGTH} characters")
    return token


def read(ring: Ring, text: str, *, kinds: Collection[Kind], now: int) -> Token:
    """What a token of one of these kinds says; raises BadToken when it is malformed, forged, of another kind, or over.

    The expiry is exclusive: at that microsecond the token is over. The MAC is compared in constant time.
    """
    parts = text.split(".") if len(text) <= TOKEN_LENGTH else []
    if len(parts) != 4 or parts[0] not in (HIDDEN, OPEN):
        raise BadToken("malformed")
    body, mac = _decode(parts[2]), _decode(parts[3])
    if len(body) < _HEAD or len(mac) != _MAC:
        raise BadToken("malformed")
    secret = ring.secrets.get(parts[1])
    if secret is None:
        raise BadToken("unknown_key")
    version = parts[0]
    plain = body if version == OPEN else _crypt(secret, mac, body)
    if not hmac.compare_digest(mac, _mac(secret, version, parts[1], plain)):
        raise BadToken("forged")
    kind = _KIND_OF.get(plain[0])
    if kind is None or kind not in kinds:
        raise BadToken("wrong_kind")
    seconds = int.from_bytes(plain[1:_HEAD])
    token = Token(kind, plain[_HEAD:], seconds * SECOND if seconds else None)
    if token.expires_at is not None and now >= token.expires_at:
        raise BadToken("expired", token)
    return token


def sign_link(ring: Ring, link: Link, *, fresh_until: int | None = None) -> str:
    """The token of a link. Without ``fresh_until`` it works for ever and can only restrict; with it, it is a freshly mailed one."""
    fields = (
        link.contact or b"",
        link.address or b"",
        link.scope.brand,
        link.scope.channel,
        link.scope.category,
        link.campaign,
        link.message,
    )
    return sign(ring, "link" if fresh_until is None else "fresh_link", pack(*fields), expires_at=fresh_until)


def read_link(token: Token) -> Link:
    """The link a token of kind ``link`` or ``fresh_link`` stands for; raises BadToken for another kind."""
    if token.kind not in ("link", "fresh_link"):
        raise BadToken("wrong_kind")
    contact, address, brand, channel, category, campaign, message = unpack(token.payload, 7)
    scope = Scope(brand.decode(), channel.decode(), category.decode())
    return Link(contact or None, address or None, scope, campaign.decode(), message.decode())


def sign_undo(ring: Ring, undo: Undo, *, expires_at: int) -> str:
    """The token that takes back one act until `expires_at`."""
    entries = b"".join(entry.bytes for entry in undo.entries)
    return sign(ring, "undo", pack(undo.contact or b"", undo.address or b"", entries), expires_at=expires_at)


def read_undo(token: Token) -> Undo:
    """The right that a token of kind ``undo`` gives; raises BadToken for another kind."""
    if token.kind != "undo":
        raise BadToken("wrong_kind")
    contact, address, entries = unpack(token.payload, 3)
    ids = tuple(UUID(bytes=entries[at : at + 16]) for at in range(0, len(entries), 16))
    return Undo(contact or None, address or None, ids)


def sign_permit(ring: Ring, check: UUID, channel: str, category: str, *, expires_at: int) -> str:
    """The permit string of a positive verdict."""
    return sign(ring, "permit", check.bytes + _about(channel, category), expires_at=expires_at)


def read_permit(token: Token) -> Permit:
    """The permit a token of that kind stands for (also from ``BadToken.token`` of an expired one)."""
    if token.kind != "permit" or len(token.payload) != 32 or token.expires_at is None:
        raise BadToken("wrong_kind")
    return Permit(UUID(bytes=token.payload[:16]), token.payload[16:], token.expires_at)


def pack(*fields: bytes | str) -> bytes:
    """Fields one behind the other, each with its length (two bytes) in front; raises ValueError beyond 65,535 bytes a field."""
    raw = [part.encode() if isinstance(part, str) else part for part in fields]
    try:
        return b"".join([len(part).to_bytes(2) + part for part in raw])
    except OverflowError:
        raise ValueError("a field of a token is too long") from None


def unpack(packed: bytes, count: int) -> tuple[bytes, ...]:
    """The fields that ``pack`` put together; raises BadToken unless there are exactly that many."""
    fields: list[bytes] = []
    at = 0
    while at < len(packed):
        end = at + 2 + int.from_bytes(packed[at : at + 2])
        fields.append(packed[at + 2 : end])
        at = end
    if at != len(packed) or len(fields) != count:
        raise BadToken("malformed")
    return tuple(fields)


def access_token(random: bytes) -> str:
    """A new OAuth access token ``sst_…`` of 32 random bytes."""
    return "sst_" + _encode(_enough(random))


def client_secret(random: bytes) -> str:
    """A new OAuth client secret ``sss_…`` of 32 random bytes."""
    return "sss_" + _encode(_enough(random))


def webhook_secret(random: bytes) -> str:
    """A new Standard Webhooks secret ``whsec_…`` of 32 random bytes."""
    return "whsec_" + base64.b64encode(_enough(random)).decode()


def fingerprint(secret: str) -> bytes:
    """The SHA-256 an opaque secret is stored and looked up under (32 bytes)."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _enough(random: bytes) -> bytes:
    if len(random) != SECRET_BYTES:
        raise ValueError(f"a secret is made of {SECRET_BYTES} random bytes, not {len(random)}")
    return random


@lru_cache(maxsize=1_024)
def _about(channel: str, category: str) -> bytes:
    return hashlib.sha256(pack("sayso/permit/1", channel, category)).digest()[:16]


def _mac(secret: bytes, version: str, kid: str, plain: bytes) -> bytes:
    return _begun(secret, version, kid).digest(plain)[:_MAC]


@lru_cache(maxsize=64)
def _begun(secret: bytes, version: str, kid: str) -> KeyedHash:
    return KeyedHash(_subkey(secret, b"mac"), pack(version, kid))


def _crypt(secret: bytes, mac: bytes, body: bytes) -> bytes:
    stream = Cipher(algorithms.AES(_subkey(secret, b"enc")), modes.CTR(mac)).encryptor()
    return stream.update(body) + stream.finalize()


@lru_cache(maxsize=64)
def _subkey(secret: bytes, use: bytes) -> bytes:
    return hmac.digest(secret, b"sayso/token/1/" + use, "sha256")


def _encode(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).translate(_URL_SAFE).rstrip(b"=").decode()


_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


def _decode(text: str) -> bytes:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadToken("malformed") from None
    # Two spellings of one token would slip past lists of used ones.
    if _encode(raw) != text:
        raise BadToken("malformed")
    return raw
