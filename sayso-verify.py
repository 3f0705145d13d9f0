#!/usr/bin/env python3
"""Verifies what a Sayso hub has signed. One file to read, standard library and `cryptography` only; nothing of Sayso is used.

    sayso-verify.py --key KEY proof FILE.tlog-proof --entry LEAF.json     one entry is in the log that KEY signs
    sayso-verify.py --key KEY log https://hub.example/ledger              every entry of a log that is served over HTTP ...
    sayso-verify.py --key KEY log FOLDER                                  ... or lies in a folder with the same files

KEY is the log's verifier key, `name+8 hex digits+base64`, got from the operator once and kept. `--known FILE` (several) names earlier
checkpoints of the log that you kept: the log must continue them. Exit code 0: it holds. 1: it does not, and the text says why.

Checked: the Ed25519 signature over (origin, size, root); each entry's hash in its tile; all tiles; the root; and for every subject that its
entries form one chain: places 1, 2, 3, ... and each naming the hash of the one before. Nobody can check from outside that nothing was left
out before it was entered, exact times, or that an entry is true.
Sources: RFC 6962 (tree), RFC 9162 section 2.1.3.2 (inclusion), C2SP signed-note, tlog-checkpoint, tlog-tiles, tlog-proof.
"""

import argparse
import base64
import hashlib
import json
import re
import sys
import urllib.request
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

WIDTH = 256  # hashes in a full tile, entries in a full bundle
LARGEST = 20_000_000  # bytes of one file; 256 entries of 65,535 bytes are fewer
LEAF, NODE = b"\x00", b"\x01"


def require(holds: bool, what: str) -> None:
    """Nothing, if it holds; else what is wrong, in words."""
    if not holds:
        raise ValueError(what)


def digest(*parts: bytes) -> bytes:
    """SHA-256 of the parts. A leaf of the tree is digest(LEAF, entry), an inner node digest(NODE, left, right)."""
    return hashlib.sha256(b"".join(parts)).digest()


class Tree:
    """A growing tree: the roots of its perfect subtrees, widest first."""

    def __init__(self, hashes: tuple = ()) -> None:
        self.size, self.peaks = 0, []
        for value in hashes:
            self.add(value)

    def add(self, leaf: bytes) -> None:
        """One more leaf hash."""
        carry = self.size
        while carry & 1:  # two subtrees of one size become one
            leaf, carry = digest(NODE, self.peaks.pop(), leaf), carry >> 1
        self.peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root of the leaves so far."""
        root = self.peaks[-1] if self.peaks else digest()
        for peak in reversed(self.peaks[:-1]):
            root = digest(NODE, peak, root)
        return root


def check_inclusion(leaf: bytes, index: int, size: int, proof: list, root: bytes) -> None:
    """RFC 9162 section 2.1.3.2, step by step."""
    require(0 <= index < size, f"index {index} is not in a log of {size} entries")
    place, last = index, size - 1
    for step in proof:
        require(last != 0, "the proof is longer than its tree is high")
        if place & 1 or place == last:
            leaf = digest(NODE, step, leaf)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            leaf = digest(NODE, leaf, step)
        place, last = place >> 1, last >> 1
    require(last == 0 and leaf == root, "the proof does not lead from this entry to the signed root")


def decoded(text: str) -> bytes:
    """The bytes of base64. Raises ValueError for anything else."""
    data = base64.b64decode(text, validate=True)
    require(base64.b64encode(data).decode() == text, "base64 that is not in its one canonical form")
    return data


def read_key(text: str) -> tuple:
    """(name, key id, public key) of a verifier key."""
    name, _, rest = text.strip().partition("+")
    digits, _, encoded = rest.partition("+")
    data = decoded(encoded)
    key_id = digest(name.encode(), b"\n", data)[:4]
    require(len(data) == 33 and data[0] == 1, "the verifier key is not of type Ed25519")
    require(key_id.hex() == digits, "the verifier key does not have the id that it names")
    return name, key_id, Ed25519PublicKey.from_public_bytes(data[1:])


def read_checkpoint(note: bytes, key: tuple) -> tuple:
    """(size, root) of a signed checkpoint. Signature lines by other keys are ignored, one by this key must be there and right."""
    name, key_id, public = key
    text, gap, lines = note.decode("utf-8").rpartition("\n\n")
    require(bool(gap) and lines.endswith("\n"), "a checkpoint is a text, an empty line and signature lines")
    text, signed = text + "\n", False
    for line in lines[:-1].split("\n"):
        match = re.fullmatch("\u2014 ([^ ]+) ([^ ]+)", line)
        require(match is not None, "a signature line is a dash, a key name and base64")
        data = decoded(match[2])
        if (match[1], data[:4]) == (name, key_id):
            signed = public.verify(data[4:], text.encode()) is None  # it raises for a wrong signature
    require(signed, f"{name} did not sign this checkpoint")
    origin, size, root, *_ = [*text.split("\n"), "", ""]
    require(origin == name, f"the checkpoint is of the log {origin}, not of {name}")
    require(re.fullmatch("0|[1-9][0-9]{0,18}", size) is not None and len(decoded(root)) == 32, "the checkpoint has no size and root")
    return int(size), decoded(root)


def check_proof(data: bytes, entry: bytes, key: tuple) -> dict:
    """What a .tlog-proof shows of an entry."""
    head, gap, note = data.decode("utf-8").partition("\n\n")
    title, *lines = head.split("\n")
    require(bool(gap) and title == "c2sp.org/tlog-proof@v1", "this is no .tlog-proof")
    lines = lines[1:] if lines and lines[0].startswith("extra ") else lines
    index = re.fullmatch("index (0|[1-9][0-9]{0,18})", lines[0]) if lines else None
    require(index is not None, "the proof names no index")
    hashes = [decoded(line) for line in lines[1:]]
    require(all(len(value) == 32 for value in hashes), "a hash of the proof does not have 32 bytes")
    size, root = read_checkpoint(note.encode(), key)
    check_inclusion(digest(LEAF, entry), int(index[1]), size, hashes, root)
    return {"index": int(index[1]), "size": size, "root": root.hex()}


def fetch(base: str, path: str) -> bytes:
    """One file of the log."""
    if not base.startswith(("http://", "https://")):
        return (Path(base) / path).read_bytes()
    try:
        with urllib.request.urlopen(f"{base.rstrip('/')}/{path}", timeout=60) as answer:  # noqa: S310 - http and https only
            return answer.read(LARGEST)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error}") from None


def tile_path(level: str, n: int, width: int) -> str:
    """tile/LEVEL/N[.p/WIDTH], N in groups of three digits, all but the last behind an x."""
    groups = [f"{n % 1000:03d}"]
    while n := n // 1000:
        groups.insert(0, f"x{n % 1000:03d}")
    return f"tile/{level}/{'/'.join(groups)}" + (f".p/{width}" if width < WIDTH else "")


def entries_of(bundle: bytes, width: int, path: str) -> list:
    """The entries of a bundle: each behind its length in two bytes, big end first."""
    found, place = [], 0
    while place < len(bundle):
        length = int.from_bytes(bundle[place : place + 2], "big")
        found.append(bundle[place + 2 : place + 2 + length])
        place += 2 + length
    require(place == len(bundle) and len(found) == width, f"{path} does not hold the {width} entries it should")
    return found


def check_chain(newest: dict, entry: bytes, index: int, late: bool) -> dict:
    """The entry's fields, if it continues its subject's chain. `newest` keeps each subject's last place and hash; about 250 bytes each.

    `late`: the log began after an accepted rollback, so chains go on from the log before and need not begin with place 1.
    """
    try:
        fields = json.loads(entry)
        sub, ver, prev, named = str(fields["sub"]), int(fields["ver"]), fields["prev"], f"entry {index} ({fields['id']})"
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"entry {index} is no entry of a Sayso ledger") from None
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    require(canonical == entry, f"{named} is not in its canonical form")
    before, head = newest.get(sub, (ver - 1, prev) if late else (0, ""))
    require(ver == before + 1, f"{named} has place {ver} of its chain, after place {before}")
    require(prev == head, f"{named} does not name the hash of the entry before it in its chain")
    newest[sub] = (ver, digest(LEAF, entry).hex())
    return fields


def check_log(base: str, key: tuple, known: list) -> dict:
    """Reads the whole log once, in its order."""
    size, root = read_checkpoint(fetch(base, "checkpoint"), key)
    for earlier, _, path in known:
        require(earlier <= size, f"the log has {size} entries, but {path} was signed over {earlier}: it was cut or rolled back")
    tree, newest, upper, rollback = Tree(), {}, [], None
    for n in range((size + WIDTH - 1) // WIDTH):
        width = min(WIDTH, size - n * WIDTH)
        path = tile_path("entries", n, width)
        entries, tile = entries_of(fetch(base, path), width, path), fetch(base, tile_path("0", n, width))
        leaves = [digest(LEAF, entry) for entry in entries]
        for index, (entry, leaf) in enumerate(zip(entries, leaves, strict=True), n * WIDTH):
            require(tile[index % WIDTH * 32 :][:32] == leaf, f"entry {index} is not the one whose hash is in its tile")
            fields = check_chain(newest, entry, index, rollback is not None)
            rollback = fields.get("x") if index == 0 and fields.get("act") == "rollback_accepted" else rollback
            tree.add(leaf)
            for earlier, their_root, where in known:
                if earlier == tree.size:
                    require(tree.root() == their_root, f"the first {earlier} entries are not those that {where} was signed over")
        require(len(tile) == 32 * width, f"{tile_path('0', n, width)} holds more than its {width} hashes")
        upper += [Tree(leaves).root()] if width == WIDTH else []
    require(tree.root() == root, f"the log's {size} entries do not have the root that was signed")
    level = 1
    while upper:  # the tiles above the lowest: each hash is the root of one full tile below
        rows = [upper[start : start + WIDTH] for start in range(0, len(upper), WIDTH)]
        for n, row in enumerate(rows):
            path = tile_path(str(level), n, len(row))
            require(fetch(base, path) == b"".join(row), f"{path} does not hold the roots of the tiles below it")
        upper, level = [Tree(row).root() for row in rows if len(row) == WIDTH], level + 1
    return {"size": size, "root": root.hex(), "subjects": len(newest), "known": len(known), "after_rollback_of": rollback}


def main() -> int:
    """The exit code."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--key", required=True, help="the log's verifier key, or a file that holds it")
    reader.add_argument("--json", action="store_true", help="print the result as one JSON value")
    commands = reader.add_subparsers(dest="command", required=True)
    proof = commands.add_parser("proof", help="verify one .tlog-proof")
    proof.add_argument("file")
    proof.add_argument("--entry", required=True, help="the file that holds the entry, byte for byte")
    log = commands.add_parser("log", help="verify a whole log")
    log.add_argument("base", help="http(s) address or folder that `checkpoint` and `tile/` are under")
    log.add_argument("--known", action="append", default=[], help="a checkpoint of this log that you kept; may be given several times")
    asked = reader.parse_args()
    try:
        key = read_key(Path(asked.key).read_text() if Path(asked.key).is_file() else asked.key)
        if asked.command == "proof":
            found = check_proof(Path(asked.file).read_bytes(), Path(asked.entry).read_bytes(), key)
            text = f"The entry is at place {found['index']} of the log {key[0]}, under a signature over {found['size']:,} entries."
        else:
            known = [(*read_checkpoint(Path(path).read_bytes(), key), path) for path in asked.known]
            found = check_log(asked.base, key, known)
            text = f"The log {key[0]} holds: {found['size']:,} entries of {found['subjects']:,} subjects, as signed, each chain whole."
            text += f" It began after an accepted rollback: {found['after_rollback_of']}" if found["after_rollback_of"] else ""
    except (OSError, ValueError, InvalidSignature) as error:
        what = str(error) or "the signature is wrong"
        print(json.dumps({"ok": False, "what": what}) if asked.json else f"REFUSED: {what}")
        return 1
    print(json.dumps({"ok": True, "origin": key[0], **found}) if asked.json else text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
