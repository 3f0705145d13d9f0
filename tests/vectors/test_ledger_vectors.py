"""Our tree, notes and tiles against vectors that others published."""

import base64
import itertools
import json
from pathlib import Path

import pytest

from sayso.rules.merkle import ProofRefused, check_consistency, check_inclusion, leaf_hash, root_of
from sayso.rules.notes import NoteMalformed, NoteRefused, open_checkpoint, open_note, parse_checkpoint, parse_key
from sayso.rules.proofs import Proof, proof_text, verify_proof
from sayso.rules.tilepaths import TilePath, path_text, unbundle
from sayso.rules.tiles import consistency_proof, extend, inclusion_proof, root_at
from shared_files import shared

pytestmark = pytest.mark.feature("S9")

OUTCOMES = {"no-verifiable-signature": NoteRefused, "invalid-signature": NoteRefused, "malformed": NoteMalformed}
LOG_KEY = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"


def decoded(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def refused_by(check: object, *arguments: object) -> bool:
    assert callable(check)
    try:
        check(*arguments)
    except ProofRefused:
        return True
    return False


def test_roots_of_the_reference_tree() -> None:
    tree = json.loads(shared("corpora/rfc6962-merkle-proofs/tree.json").read_text())
    leaves = [leaf_hash(bytes.fromhex(text)) for text in tree["leaf_inputs_hex"]]
    assert [root_of(leaves[:size]).hex() for size in range(len(leaves) + 1)] == tree["root_hex_by_size"]


def test_inclusion_proofs() -> None:
    files = sorted(shared("corpora/rfc6962-merkle-proofs/inclusion").rglob("*.json"))
    assert len(files) > 50
    for file in files:
        case = json.loads(file.read_text())
        proof = [decoded(step) for step in case["proof"] or []]
        arguments = (decoded(case["leafHash"]), case["leafIdx"], case["treeSize"], proof, decoded(case["root"]))
        assert refused_by(check_inclusion, *arguments) == case["wantErr"], file


def test_consistency_proofs() -> None:
    files = sorted(shared("corpora/rfc6962-merkle-proofs/consistency").rglob("*.json"))
    assert len(files) > 50
    for file in files:
        case = json.loads(file.read_text())
        proof = [decoded(step) for step in case["proof"] or []]
        arguments = (case["size1"], decoded(case["root1"]), case["size2"], decoded(case["root2"]), proof)
        assert refused_by(check_consistency, *arguments) == case["wantErr"], file


def test_signed_notes() -> None:
    for case in json.loads(shared("corpora/signed-notes/notes.json").read_text())["cases"]:
        data, keys = base64.b64decode(case["note_base64"]), [parse_key(key) for key in case["known_keys"]]
        if case["result"] == "verified":
            assert [key.name for key in open_note(data, keys)[1]] == case["verified_by"], case["name"]
        else:
            with pytest.raises(OUTCOMES[case["result"]]):
                open_note(data, keys)


def test_checkpoint_bodies() -> None:
    for case in json.loads(shared("corpora/signed-notes/checkpoint_bodies.json").read_text()):
        if case["accept"]:
            assert parse_checkpoint(case["note_text"], root_bytes=None).size > 0, case["name"]
        else:
            with pytest.raises(NoteMalformed):
                parse_checkpoint(case["note_text"], root_bytes=None)


def test_a_log_written_by_others_verifies_entry_by_entry() -> None:
    folder = shared("corpora/tlog-tiles-log")
    key = parse_key(LOG_KEY)
    roots: dict[int, bytes] = {}
    for name, expected in json.loads((folder / "expected.json").read_text()).items():
        checkpoint = open_checkpoint((folder / name).read_bytes(), key)
        assert (checkpoint.size, checkpoint.root) == (expected["size"], decoded(expected["root"]))
        roots[checkpoint.size] = checkpoint.root
        entries = unbundle((folder / path_text(TilePath(None, 0, checkpoint.size))).read_bytes())
        assert entries == [entry.encode() for entry in expected["entries"]]
        rows = extend({}, 0, [leaf_hash(entry) for entry in entries])
        assert rows[0, 0] == (folder / path_text(TilePath(0, 0, checkpoint.size))).read_bytes()
        assert root_at(checkpoint.size, lambda level, n, rows=rows: rows[level, n]) == checkpoint.root
        for index, entry in enumerate(entries):
            hashes = inclusion_proof(index, checkpoint.size, lambda level, n, rows=rows: rows[level, n])
            text = proof_text(Proof(index, tuple(hashes), (folder / name).read_text()))
            assert verify_proof(text.encode(), entry, key) == checkpoint
    for size1, size2 in itertools.combinations(sorted(roots), 2):
        tile = rows_at(folder, size2)
        proof = consistency_proof(size1, size2, lambda level, n, tile=tile: tile)
        check_consistency(size1, roots[size1], size2, roots[size2], proof)


def test_every_flipped_byte_of_that_log_is_noticed() -> None:
    folder = shared("corpora/tlog-tiles-log")
    key = parse_key(LOG_KEY)
    note = (folder / "checkpoint.13").read_bytes()
    for place in range(len(note)):
        with pytest.raises((NoteMalformed, NoteRefused)):
            open_checkpoint(note[:place] + bytes([note[place] ^ 1]) + note[place + 1 :], key)
    root = open_checkpoint(note, key).root
    tile = rows_at(folder, 13)
    for place in range(len(tile)):
        changed = tile[:place] + bytes([tile[place] ^ 1]) + tile[place + 1 :]
        assert root_at(13, lambda level, n, changed=changed: changed) != root


def rows_at(folder: Path, size: int) -> bytes:
    return (folder / path_text(TilePath(0, 0, size))).read_bytes()
