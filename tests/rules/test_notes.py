"""Signed notes and checkpoints are strict both ways: what we write others read, what is off by a byte is refused."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint as TheirCheckpoint

from sayso.rules.notes import (
    COSIGNATURE,
    Checkpoint,
    NoteMalformed,
    NoteRefused,
    VerifierKey,
    checkpoint_text,
    key_of,
    key_text,
    open_checkpoint,
    open_note,
    parse_checkpoint,
    parse_key,
    parse_note,
    sign,
)

ORIGIN = "sayso.example/main"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
MALLORY = Ed25519PrivateKey.from_private_bytes(bytes(32))
KEY = key_of(ORIGIN, PRIVATE)
CHECKPOINT = Checkpoint(ORIGIN, 7, bytes(range(32, 64)))
NOTE = sign(checkpoint_text(CHECKPOINT), ORIGIN, PRIVATE).encode()


def test_what_we_sign_we_and_others_verify() -> None:
    assert open_checkpoint(NOTE, KEY) == CHECKPOINT
    theirs = TheirCheckpoint.from_text(NOTE.decode())
    theirs.verify(Vkey.from_string(key_text(KEY)))
    assert (theirs.origin, theirs.size, theirs.root_hash) == (ORIGIN, 7, CHECKPOINT.root)


@given(st.data())
def test_no_flipped_bit_is_accepted(data: st.DataObject) -> None:
    place, bit = data.draw(st.integers(0, len(NOTE) - 1)), data.draw(st.integers(0, 7))
    changed = bytearray(NOTE)
    changed[place] ^= 1 << bit
    with pytest.raises((NoteMalformed, NoteRefused)):
        open_checkpoint(bytes(changed), KEY)


def test_keys_are_written_and_read_back() -> None:
    assert parse_key(key_text(KEY)) == KEY
    assert str(Vkey.from_string(key_text(KEY)).serialize()) == key_text(KEY)


@pytest.mark.parametrize(
    "text",
    [
        "", "name", "name+00000000", key_text(KEY).replace("+", "-", 1), "x" + key_text(KEY), key_text(KEY)[:-4], key_text(KEY).upper(),
        f"+{KEY.id.hex()}+{base64.b64encode(b'1' + KEY.public).decode()}",
        f"a+00000000+{base64.b64encode(bytes([9]) + KEY.public).decode()}",
    ],
)  # fmt: skip
def test_other_lines_are_no_keys(text: str) -> None:
    with pytest.raises(NoteMalformed):
        parse_key(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u2003b", "a\nb", "a\x01"])
def test_a_key_name_has_no_spaces_and_no_plus(name: str) -> None:
    with pytest.raises(NoteMalformed):
        key_of(name, PRIVATE)


@pytest.mark.parametrize("text", ["", "no newline", "tab\t\n", "nul\0\n"])
def test_texts_that_readers_would_refuse_are_not_signed(text: str) -> None:
    with pytest.raises(NoteMalformed):
        sign(text, ORIGIN, PRIVATE)


def test_unknown_signers_are_ignored_but_one_must_be_known() -> None:
    line = sign(checkpoint_text(CHECKPOINT), "witness.example", MALLORY).rpartition("\n\n")[2].encode()
    note, found = open_note(NOTE + line, [KEY])
    assert found == (KEY,)
    assert [signature.name for signature in note.signatures] == [ORIGIN, "witness.example"]
    with pytest.raises(NoteRefused, match="no known key"):
        open_note(NOTE, [key_of(ORIGIN, MALLORY)])
    with pytest.raises(NoteRefused, match="no known key"):
        open_note(NOTE, [])


def test_sixteen_signatures_are_read_and_a_flood_is_refused() -> None:
    line = sign(checkpoint_text(CHECKPOINT), "witness.example", MALLORY).rpartition("\n\n")[2].encode()
    assert len(parse_note(NOTE + line * 15).signatures) == 16
    with pytest.raises(NoteMalformed, match="at most"):
        parse_note(NOTE + line * 100)
    with pytest.raises(NoteMalformed, match="at most"):
        parse_note(b"x" * 1_000_001)


def test_a_known_key_with_a_wrong_signature_spoils_the_note() -> None:
    text = checkpoint_text(CHECKPOINT)
    forged = sign(text, ORIGIN, MALLORY).rpartition(" ")[2].strip()
    blob = base64.b64encode(KEY.id + base64.b64decode(forged)[4:]).decode()
    with pytest.raises(NoteRefused, match="wrong"):
        open_note(f"{NOTE.decode()}— {ORIGIN} {blob}\n".encode(), [KEY])


def test_a_log_speaks_only_for_itself() -> None:
    other = sign(checkpoint_text(Checkpoint("other.example", 7, CHECKPOINT.root)), ORIGIN, PRIVATE)
    with pytest.raises(NoteRefused, match=r"of other\.example"):
        open_checkpoint(other.encode(), KEY)


def test_a_witness_signs_the_time_with_the_text() -> None:
    witness = VerifierKey("witness.example", COSIGNATURE, MALLORY.public_key().public_bytes_raw())
    text = checkpoint_text(CHECKPOINT)
    seconds = 1_700_000_000
    blob = seconds.to_bytes(8, "big") + MALLORY.sign(f"cosignature/v1\ntime {seconds}\n{text}".encode())
    line = f"— witness.example {base64.b64encode(witness.id + blob).decode()}\n"
    assert parse_key(key_text(witness)) == witness
    assert open_note(NOTE + line.encode(), [KEY, witness])[1] == (KEY, witness)
    short = f"— witness.example {base64.b64encode(witness.id + blob[8:]).decode()}\n"
    with pytest.raises(NoteRefused, match="wrong"):
        open_note(NOTE + short.encode(), [KEY, witness])


@given(
    size=st.integers(0, (1 << 64) - 1),
    root=st.binary(min_size=32, max_size=32),
    more=st.lists(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1, max_size=20), max_size=3),
)
def test_checkpoints_are_read_back(size: int, root: bytes, more: list[str]) -> None:
    checkpoint = Checkpoint(ORIGIN, size, root, tuple(more))
    assert parse_checkpoint(checkpoint_text(checkpoint)) == checkpoint
    assert open_checkpoint(sign(checkpoint_text(checkpoint), ORIGIN, PRIVATE).encode(), KEY) == checkpoint


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint("", 1, bytes(32)), Checkpoint("a b", 1, bytes(32)), Checkpoint("a", -1, bytes(32)), Checkpoint("a", 1, bytes(31)),
        Checkpoint("a", 1, bytes(32), ("",)), Checkpoint("a", 1, bytes(32), ("two\nlines",)), Checkpoint("a", 1 << 64, bytes(32)),
    ],
)  # fmt: skip
def test_checkpoints_that_others_would_refuse_are_not_written(checkpoint: Checkpoint) -> None:
    with pytest.raises(NoteMalformed):
        checkpoint_text(checkpoint)


ROOT = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "", "a\n", f"a\n1\n{ROOT}", f"a\n01\n{ROOT}\n", f"a\n+1\n{ROOT}\n", f"a\n1 \n{ROOT}\n", f"a\n٣\n{ROOT}\n", f"\n1\n{ROOT}\n",
        f"a\n1\n{ROOT}\n\n", f"a\n1\n{ROOT[:-1]}\n", f"a\n1\n{ROOT.replace('A=', 'B=')}\n", f"a\n1\n\n{ROOT}\n",
    ],
)  # fmt: skip
def test_malformed_checkpoints_are_refused(text: str) -> None:
    with pytest.raises(NoteMalformed):
        parse_checkpoint(text)


@given(st.binary(max_size=300))
def test_noise_is_never_a_note(data: bytes) -> None:
    with pytest.raises((NoteMalformed, NoteRefused)):
        open_note(data, [KEY])


@pytest.mark.parametrize(
    "line", ["- name AAAAAAA=", "— name", "— AAAA", "— name AAAAAA==", "— name AAAAAAA", "— na+me AAAAAAA=", "—  AAAAAAA="]
)
def test_malformed_signature_lines_are_refused(line: str) -> None:
    with pytest.raises(NoteMalformed):
        parse_note(f"text\n\n{line}\n".encode())
