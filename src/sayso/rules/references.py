"""References: entry ids as people read them out on the phone. Twelve letters and digits that find the entry again.

An id of version 7 carries its millisecond (48 bits), its shard (8 bits) and chance; a reference keeps the first two and four bits of the
chance, in the alphabet of Crockford's base 32 (no I, L, O, U), in groups of four: ``01KA-9WH2-M4P9``.
"""

from typing import Final
from uuid import UUID

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ_AS: Final = str.maketrans("ILO", "110")
_LENGTH: Final = 12


class BadReference(ValueError):
    """A text that is no reference."""


def reference(entry: str) -> str:
    """The reference of an entry id (text of a UUID of version 7)."""
    number = UUID(entry).int
    short = number >> 80 << 12 | (number & 0xFF) << 4 | number >> 8 & 0xF
    text = "".join(_ALPHABET[short >> 5 * place & 31] for place in reversed(range(_LENGTH)))
    return "-".join(text[at : at + 4] for at in range(0, _LENGTH, 4))


def span(text: str) -> tuple[int, UUID, UUID]:
    """The shard and the first and last id that a reference may mean; compare each with `reference`. Raises BadReference.

    Case, spaces and hyphens make no difference, and I, L and O are read as 1, 1 and 0.
    """
    plain = "".join(text.split()).replace("-", "").upper().translate(_READ_AS)
    if len(plain) != _LENGTH or any(letter not in _ALPHABET for letter in plain):
        raise BadReference("a reference has twelve letters and digits, like 01KA-9WH2-M4P9")
    short = 0
    for letter in plain:
        short = short << 5 | _ALPHABET.index(letter)
    first = short >> 12 << 80
    return short >> 4 & 0xFF, UUID(int=first), UUID(int=first | (1 << 80) - 1)
