"""Verifies that an entry is in the signed log, with a library nobody here wrote: pip install tlog-scales

SAYSO_URL=http://127.0.0.1:8400 SAYSO_TOKEN=sst_… python examples/verify_proof.py ENTRY_ID 'VERIFIER_KEY'
The verifier key (name+id+base64) names whose signature to believe: get it from the operator, not from the same server each time.
"""

import base64
import os
import sys
import urllib.request

from tlog_scales.reader import Tile
from tlog_scales.signing import Vkey
from tlog_scales.tiles import leaf_hash, tile_path
from tlog_scales.tlog import Checkpoint, InclusionProof

WIDTH = 256


def fetch(path: str) -> bytes:
    """What the hub answers."""
    request = urllib.request.Request(os.environ["SAYSO_URL"] + path)  # noqa: S310 - the operator's own address
    if "SAYSO_TOKEN" in os.environ:
        request.add_header("Authorization", f"Bearer {os.environ['SAYSO_TOKEN']}")
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
        return bytes(answer.read())


def leaf_at(index: int, size: int) -> bytes:
    """The entry itself, from the bundle that holds it."""
    bundle = index // WIDTH
    partial = size % WIDTH if bundle == size // WIDTH else 0
    path = "/".join(["/ledger", *tile_path(-1, bundle, partial)])
    return bytes(Tile.from_entries_bytes(fetch(path))[index % WIDTH])


def main() -> int:
    """Prints the leaf when its proof holds; raises otherwise."""
    entry, key = sys.argv[1], Vkey.from_string(sys.argv[2])
    head, _, note = fetch(f"/api/v2/entries/{entry}/proof").decode().partition("\n\n")
    title, *lines = head.split("\n")
    if title != "c2sp.org/tlog-proof@v1":
        raise SystemExit("this is no tlog-proof")
    at = next(n for n, line in enumerate(lines) if line.startswith("index "))
    checkpoint = Checkpoint.from_text(note)
    checkpoint.verify(key)
    index = int(lines[at].removeprefix("index "))
    leaf = leaf_at(index, checkpoint.size)
    hashes = [base64.b64decode(line) for line in lines[at + 1 :]]
    InclusionProof(index, checkpoint.size, hashes).check(leaf_hash(leaf), checkpoint.root_hash)
    print(leaf.decode())
    return 0 if f'"id":"{entry}"' in leaf.decode() else 1


if __name__ == "__main__":
    sys.exit(main())
