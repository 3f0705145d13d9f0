"""Rollback: what the first leaf of a new log says about the log before it, which the store no longer holds as it was signed.

The leaf is of kind `config`, act `rollback_accepted`. Knows nothing of who accepted it or why: the reason is in the leaf's detail.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

ACCEPTED: Final = "rollback_accepted"


@dataclass(frozen=True, slots=True)
class Rollback:
    """A closed log: its origin, the greatest checkpoint that was signed and remembered (size, root), and what the store holds of it.

    `kept` entries with root `kept_root` are there; the first `agreed` of them are proven to be the ones that were signed. Entries from
    there to `size` were signed once and are lost, or are not the ones that were signed.
    """

    origin: str
    size: int
    root: bytes
    kept: int
    kept_root: bytes
    agreed: int

    @property
    def lost(self) -> int:
        """How many signed entries the store does not hold as they were signed."""
        return self.size - min(self.agreed, self.size)


def rollback_extra(found: Rollback) -> tuple[tuple[str, str | int], ...]:
    """What the leaf says, as the extra values of its entry."""
    return (
        ("origin", found.origin), ("size", found.size), ("root", found.root.hex()), ("kept", found.kept),
        ("kept_root", found.kept_root.hex()), ("agreed", found.agreed),
    )  # fmt: skip


def rollback_of(fields: Mapping[str, Any]) -> Rollback | None:
    """What a leaf with these fields says about the log before; None where it is no such leaf, or cannot be read as one."""
    if (fields.get("t"), fields.get("act")) != ("config", ACCEPTED):
        return None
    x = fields.get("x", {})
    try:
        sizes = [x[name] for name in ("size", "kept", "agreed")]
        if any(type(size) is not int or size < 0 for size in sizes) or type(x["origin"]) is not str:
            return None
        return Rollback(x["origin"], sizes[0], bytes.fromhex(x["root"]), sizes[1], bytes.fromhex(x["kept_root"]), sizes[2])
    except (KeyError, TypeError, ValueError):
        return None
