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
    return _grouped("".join(_ALPHABET[short >> 5 * place & 31] for place in reversed(range(_LENGTH))))


def plain(text: str) -> str:
    """A reference as `reference` writes it, whatever was typed: case, spaces and hyphens make no difference, I, L and O are 1, 1 and 0.

    Raises BadReference for a text that is none.
    """
    letters = "".join(text.split()).replace("-", "").upper().translate(_READ_AS)
    if len(letters) != _LENGTH or any(letter not in _ALPHABET for letter in letters):
        raise BadReference("a reference has twelve letters and digits, like 01KA-9WH2-M4P9")
    return _grouped(letters)


def span(text: str) -> tuple[int, UUID, UUID]:
    """The shard, and the first and last id of the millisecond that a reference lies in; those of them with this very reference are meant.

    Raises BadReference.
    """
    short = 0
    for letter in plain(text).replace("-", ""):
        short = short << 5 | _ALPHABET.index(letter)
    first = short >> 12 << 80
    return short >> 4 & 0xFF, UUID(int=first), UUID(int=first | (1 << 80) - 1)


def _grouped(letters: str) -> str:
    return "-".join(letters[at : at + 4] for at in range(0, _LENGTH, 4))
