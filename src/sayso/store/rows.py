"""Rows of the subject table as values, and the ids that lead to them."""

from collections.abc import Iterable
from typing import Any

from sayso.contracts.book import Key
from sayso.rules.state import from_bytes
from sayso.rules.statements import Row
from sayso.rules.subjects import subject_id
from sayso.rules.values import Value


class Held(Value, frozen=True):
    """One subject as the store holds it: where it lies, the head of its chain, and its row as the rules see it."""

    shard: int
    id: bytes
    head: bytes
    row: Row


def held(record: Any) -> Held:
    """The value of a subject record. Raises ValueError when its state cannot be read."""
    state = from_bytes(record["state"], version=record["version"], length=record["length"], last_at=record["last_at"])
    return Held(record["shard"], record["id"], record["head"], Row(record["pseudonym"].hex(), record["kind"], state))


def place_of(pepper: bytes, key: Key) -> tuple[int, bytes]:
    """The (shard, id) of a key."""
    subject = subject_id(pepper, key.kind, key.value)
    return subject[0], subject


def shards_and_pseudonyms(subs: Iterable[str]) -> tuple[list[int], list[bytes]]:
    """Pseudonyms in hex as two parallel lists for a statement: shards and bytes."""
    raw = [bytes.fromhex(sub) for sub in subs]
    return [pseudonym[0] for pseudonym in raw], raw


def bound_before(name: str) -> bytes:
    """How what a ciphertext of this name is bound to begins; the 16 bytes of a pseudonym or an id follow. `bound` says it in one."""
    return bound(name) + (16).to_bytes(2)


def bound(*parts: str | bytes) -> bytes:
    """What a ciphertext is bound to: the parts of its place, joined unambiguously."""
    raw = [part.encode() if isinstance(part, str) else part for part in parts]
    return b"".join(len(part).to_bytes(2, "big") + part for part in raw)
