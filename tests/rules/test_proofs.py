"""An offline proof is one small text that shows an entry in a signed log, and nothing when a bit of it changes."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from sayso.rules.merkle import ProofRefused, leaf_hash, root_of
from sayso.rules.notes import Checkpoint, NoteMalformed, NoteRefused, checkpoint_text, key_of, sign
from sayso.rules.proofs import Proof, ProofMalformed, parse_proof, proof_text, verify_proof
from sayso.rules.tiles import extend, inclusion_proof

pytestmark = pytest.mark.feature("S9")

ORIGIN = "sayso.example/main"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = key_of(ORIGIN, PRIVATE)
ENTRIES = [f"entry {i}".encode() for i in range(300)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
ROWS = extend({}, 0, LEAVES)


def proof_of(index: int, size: int, extra: bytes | None = None) -> bytes:
    checkpoint = sign(checkpoint_text(Checkpoint(ORIGIN, size, root_of(LEAVES[:size]))), ORIGIN, PRIVATE)
    hashes = inclusion_proof(index, size, lambda level, n: ROWS[level, n])
    return proof_text(Proof(index, tuple(hashes), checkpoint, extra)).encode()


@given(data=st.data(), size=st.integers(1, 300), extra=st.one_of(st.none(), st.binary(max_size=20)))
def test_a_proof_shows_its_entry_and_no_other(data: st.DataObject, size: int, extra: bytes | None) -> None:
    index = data.draw(st.integers(0, size - 1))
    text = proof_of(index, size, extra)
    assert verify_proof(text, ENTRIES[index], KEY).size == size
    assert parse_proof(text).extra == extra
    assert proof_text(parse_proof(text)).encode() == text
    with pytest.raises(ProofRefused):
        verify_proof(text, ENTRIES[index] + b"!", KEY)


@given(data=st.data(), size=st.integers(1, 300))
def test_no_flipped_bit_is_accepted(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    text = bytearray(proof_of(index, size))
    place, bit = data.draw(st.integers(0, len(text) - 1)), data.draw(st.integers(0, 7))
    text[place] ^= 1 << bit
    with pytest.raises((ProofMalformed, NoteMalformed, NoteRefused, ProofRefused)):
        verify_proof(bytes(text), ENTRIES[index], KEY)


def test_the_text_is_the_standards() -> None:
    lines = proof_of(2, 3).decode().split("\n")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 2"]
    assert base64.b64decode(lines[2]) == root_of(LEAVES[:2])
    assert lines[3:6] == ["", ORIGIN, "3"]


def test_another_logs_key_does_not_open_it() -> None:
    mallory = key_of(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(32)))
    with pytest.raises(NoteRefused):
        verify_proof(proof_of(1, 3), ENTRIES[1], mallory)


GOOD = proof_of(1, 3)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xff", GOOD.replace(b"@v1", b"@v2"), GOOD.replace(b"index 1", b"index 01"), GOOD.replace(b"index 1", b"index -1"),
        GOOD.replace(b"index 1\n", b""), GOOD.replace(b"index 1", b"index 1 "), GOOD.replace(b"index 1\n", b"index 1\nAAAA\n"),
        GOOD.replace(b"index 1\n", b"index 1\n" + base64.b64encode(bytes(32)) + b"x\n"), GOOD.partition(b"\n\n")[0],
        GOOD.replace(b"index 1", b"extra ?\nindex 1"), GOOD.replace(b"index 1", b"index 1\nextra AAAA"), b"c2sp.org/tlog-proof@v1\n\nx",
        GOOD.replace(b"index 1\n", b"index 1\n" + (base64.b64encode(bytes(32)) + b"\n") * 65), GOOD.replace(b"\n", b"\r\n"),
    ],
)  # fmt: skip
def test_other_texts_are_no_proofs(data: bytes) -> None:
    with pytest.raises(ProofMalformed):
        parse_proof(data)
