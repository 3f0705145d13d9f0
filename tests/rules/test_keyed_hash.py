"""A keyed hash whose key was taken in before is the HMAC-SHA-256 that everybody else computes."""

import hmac

from hypothesis import given
from hypothesis import strategies as st

from sayso.rules.keyed_hash import KeyedHash


@given(key=st.binary(max_size=130), start=st.binary(max_size=80), messages=st.lists(st.binary(max_size=200), min_size=1, max_size=4))
def test_it_is_hmac_sha_256_for_every_message(key: bytes, start: bytes, messages: list[bytes]) -> None:
    keyed = KeyedHash(key, start)
    assert [keyed.digest(one) for one in messages] == [hmac.digest(key, start + one, "sha256") for one in messages]


def test_it_gives_what_the_rfc_says() -> None:
    """RFC 4231, cases 2 and 6: a short key, and one longer than a block."""
    short = KeyedHash(b"Jefe").digest(b"what do ya want for nothing?")
    assert short.hex() == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    long = KeyedHash(b"\xaa" * 131).digest(b"Test Using Larger Than Block-Size Key - Hash Key First")
    assert long.hex() == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
