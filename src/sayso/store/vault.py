"""The vault: personal detail under keys that can be destroyed. AES-256-GCM throughout, each ciphertext bound to its place.

A subject's details lie under its own data key, wrapped by a key-encryption key of the data folder's ring; destroying the wrapped
key is the erasure. Calls and stored answers lie under daily keys that are destroyed after seven days.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12


class Sealed(Exception):
    """A ciphertext that these keys do not open: the key was destroyed, the bytes were changed, or they belong elsewhere."""


@dataclass(frozen=True, slots=True)
class Vault:
    """Seals and opens with the key-encryption keys. `ring` is kid → 32 bytes, `current` the kid new keys are wrapped under.

    Where keys are exchanged while the hub runs, `newest` tells which one that is now, and the ring finds it.
    """

    ring: Mapping[str, bytes] = field(repr=False)
    current: str
    chance: Callable[[int], bytes] = field(repr=False)
    newest: Callable[[], str] | None = field(default=None, repr=False)

    def new_key(self, bound_to: bytes) -> tuple[bytes, bytes]:
        """A fresh data key and its wrapped form."""
        key = self.chance(KEY_BYTES)
        return key, self.wrap(key, bound_to)

    def wrap(self, key: bytes, bound_to: bytes) -> bytes:
        """`kid length ∥ kid ∥ nonce ∥ ciphertext`."""
        return self.wrapper()(key, bound_to)

    def wrapper(self) -> "Wrap":
        """Wraps many data keys with the key that is the newest now, looked up and made ready once."""
        current = self.newest() if self.newest else self.current
        kid, ready = current.encode(), AESGCM(self.ring[current])
        head = bytes([len(kid)]) + kid
        return lambda key, bound_to: head + self.seal(ready, key, bound_to)

    def is_current(self, wrapped: bytes) -> bool:
        """Whether these bytes are wrapped under the newest key-encryption key."""
        current = self.newest() if self.newest else self.current
        return wrapped[1 : 1 + wrapped[0]] == current.encode() if wrapped else False

    def unwrap(self, wrapped: bytes, bound_to: bytes) -> bytes:
        """The data key. Raises Sealed when the ring lacks its key-encryption key or the bytes are not of this place."""
        return self.unwrapper()(wrapped, bound_to)

    def unwrapper(self) -> "Unwrap":
        """Unwraps many data keys, as `unwrap` does, with each key of the ring made ready once."""
        schedules: dict[bytes, Open] = {}

        def unwrap(wrapped: bytes, bound_to: bytes) -> bytes:
            name, rest = wrapped[1 : 1 + wrapped[0]] if wrapped else b"", wrapped[1 + wrapped[0] :] if wrapped else b""
            if name not in schedules:
                kid = name.decode("ascii", "replace")
                if kid not in self.ring:
                    raise Sealed(f"the key-encryption key {kid!r} is not in the data folder's ring")
                schedules[name] = opener(self.ring[kid])
            return schedules[name](rest, bound_to)

        return unwrap

    def seal(self, key: bytes | AESGCM, plain: bytes, bound_to: bytes) -> bytes:
        """`nonce ∥ ciphertext`, readable only with the key and the same place. A key that seals much is handed in made ready."""
        nonce = self.chance(NONCE_BYTES)
        return nonce + (AESGCM(key) if isinstance(key, bytes) else key).encrypt(nonce, plain, bound_to)

    def open(self, key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
        """The plain bytes. Raises Sealed."""
        return opener(key)(sealed, bound_to)


Open = Callable[[bytes, bytes], bytes]
"""Opens one ciphertext, bound to a place, with a key that it knows. Raises Sealed."""
Wrap = Callable[[bytes, bytes], bytes]
"""The wrapped form of a data key, for its place."""
Unwrap = Callable[[bytes, bytes], bytes]
"""A data key from its wrapped form and its place. Raises Sealed."""


def opener(key: bytes) -> Open:
    """Opens many ciphertexts of one key, which is made ready once."""
    decrypt = AESGCM(key).decrypt

    def opened(sealed: bytes, bound_to: bytes) -> bytes:
        try:
            return decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound_to)
        except (InvalidTag, ValueError) as closed:
            raise Sealed("these bytes do not open with this key at this place") from closed

    return opened
