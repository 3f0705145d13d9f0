"""Ids carry their time to the microsecond and the shard they route to."""

from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.rules.ids import day_of, shard_of, time_of, uuid7

NOW = 1_795_341_600_123_456
times = st.integers(0, ((1 << 48) - 1) * 1000 + 999)
chance = st.binary(min_size=10, max_size=10)
shards = st.integers(0, 255)


@given(times, chance, shards)
def test_time_shard_version_and_variant_survive(now: int, random10: bytes, shard: int) -> None:
    made = uuid7(now, random10, shard)
    assert (time_of(made), shard_of(made), made.version, made.variant) == (now, shard, 7, "specified in RFC 4122")
    assert UUID(str(made)) == made
    assert made.bytes[-1] == shard


@given(times.filter(lambda now: now > 0), chance, chance, shards, shards)
def test_ids_a_microsecond_apart_sort_by_time(now: int, a: bytes, b: bytes, shard_a: int, shard_b: int) -> None:
    assert uuid7(now - 1, a, shard_a) < uuid7(now, b, shard_b)


@given(chance, chance)
def test_54_bits_of_chance_keep_ids_apart(a: bytes, b: bytes) -> None:
    low = (1 << 54) - 1
    assert (uuid7(NOW, a, 3) == uuid7(NOW, b, 3)) == (int.from_bytes(a) & low == int.from_bytes(b) & low)


@pytest.mark.parametrize(
    ("now", "random10", "shard"), [(-1, bytes(10), 0), (1 << 60, bytes(10), 0), (NOW, bytes(9), 0), (NOW, bytes(10), 256)]
)
def test_what_does_not_fit_is_refused(now: int, random10: bytes, shard: int) -> None:
    with pytest.raises(ValueError, match="UUIDv7|random bytes|shard"):
        uuid7(now, random10, shard)


def test_other_versions_carry_no_time() -> None:
    with pytest.raises(ValueError, match="not a UUIDv7"):
        time_of(UUID("c232ab00-9414-4fec-8b13-6d7f1f1a5f6b"))


def test_a_day_is_a_utc_day() -> None:
    assert day_of(NOW) == date(2026, 11, 22)
    assert (day_of(86_399_999_999), day_of(86_400_000_000)) == (date(1970, 1, 1), date(1970, 1, 2))
