"""Ids that carry their time and their shard: UUID version 7 (RFC 9562) whose last byte is the shard of the subject.

Time is int microseconds since the epoch. The first 48 bits are the millisecond, the next 12 the fraction of it, so ids made a
microsecond apart sort by time; the rest is chance, handed in by the caller. Nothing here reads a clock or draws a number.
"""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

RANDOM_BYTES = 10
SHARDS = 256

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_MILLISECONDS = (1 << 48) - 1


def uuid7(now_us: int, random10: bytes, shard: int) -> UUID:
    """A new UUIDv7 of this microsecond and shard; see `uuid7_text`."""
    return UUID(int=_number(now_us, random10, shard))


def uuid7_bytes(now_us: int, random10: bytes, shard: int) -> bytes:
    """The 16 bytes of a new UUIDv7; see `uuid7_text`."""
    return _number(now_us, random10, shard).to_bytes(16)


def uuid7_text(now_us: int, random10: bytes, shard: int) -> str:
    """A new UUIDv7 of this microsecond and shard, written out: several a write, and most are only ever text.

    ``random10`` is ten random bytes (54 bits of them are used, the shard takes the last byte). Raises ValueError for a
    time outside 48 bits of milliseconds, another number of bytes, or a shard outside 0…255. Ids of one microsecond are unordered.
    """
    text = f"{_number(now_us, random10, shard):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _number(now_us: int, random10: bytes, shard: int) -> int:
    if len(random10) != RANDOM_BYTES:
        raise ValueError(f"uuid7 needs {RANDOM_BYTES} random bytes, not {len(random10)}")
    if not 0 <= shard < SHARDS:
        raise ValueError(f"a shard is 0 to {SHARDS - 1}, not {shard}")
    millisecond, rest_us = divmod(now_us, 1000)
    if not 0 <= millisecond <= _MAX_MILLISECONDS:
        raise ValueError(f"{now_us} µs cannot be put into a UUIDv7")
    fraction = rest_us * 4096 // 1000
    chance = int.from_bytes(random10) & ((1 << 54) - 1)
    return millisecond << 80 | 7 << 76 | fraction << 64 | 0b10 << 62 | chance << 8 | shard


def shard_of(entry_id: UUID) -> int:
    """The shard an entry or check id routes to: its last byte."""
    return entry_id.int & 0xFF


def time_of(entry_id: UUID) -> int:
    """The microsecond an id was made; raises ValueError unless it is a UUIDv7."""
    if entry_id.version != 7:
        raise ValueError(f"{entry_id} is not a UUIDv7 and carries no time")
    fraction = entry_id.int >> 64 & 0xFFF
    # Rounding up undoes the rounding down of uuid7 exactly: 4096 steps hold 1000 microseconds.
    return (entry_id.int >> 80) * 1000 + -(-fraction * 1000 // 4096)


def day_of(ts: int) -> date:
    """The UTC calendar day of a time in microseconds."""
    return (_EPOCH + timedelta(microseconds=ts)).date()
