"""Entries: facts in the ledger, past tense; each carries every value that the fold needs."""

from functools import lru_cache
from typing import Any, Final

from sayso.rules.values import Value
from sayso.rules.words import Scope

KINDS: Final = ("choice", "block", "pause", "link", "place", "event", "ack", "config", "seal", "kept", "rights")
"""choice: somebody's word; block: a deliverability or policy fact set or lifted; pause; link: contact and address belong together;
place: country; event: something that happened, no status change; ack: a connection's answer; config; seal: hash of a verdict batch;
kept: first entry after an erasure, carries the restrictions; rights: a person's right was served (data exported, erased)."""

BLOCKS: Final = ("hard_bounce", "soft_bounce", "complaint", "blacklist", "carrier_stop", "erasing", "erased")
"""erasing: an erasure was accepted and nothing lifts it; erased: it was completed, until the person or their company speaks anew."""


class Entry(Value, frozen=True):
    """One fact about one subject. Times are microseconds since the epoch; `sub`, `about`, `other` are pseudonyms in hex."""

    id: str
    sub: str
    kind: str
    at: int
    ts: int
    act: str
    src: str
    by: str
    via: str
    effect: str = "applied"
    scope: Scope | None = None
    own: bool = False
    strong: bool = False
    method: str = ""
    rule: str = ""
    about: str = ""
    old: str = ""
    new: str = ""
    until: int = 0
    since: int = 0
    other: str = ""
    other_kind: str = ""
    primary: bool = False
    x: tuple[tuple[str, str | int], ...] = ()


def leaf_fields(entry: Entry, *, ver: int, prev: str, commitment: str) -> dict[str, Any]:
    """The fields of the entry's ledger leaf; absent values are left out, so that equal facts give equal bytes.

    `ver` is the place in the subject's chain (from 1), `prev` the leaf hash before it in hex ("" for the first).
    """
    x: dict[str, str | int] = dict(entry.x)
    said = ("method", entry.method), ("old", entry.old), ("new", entry.new), ("other", entry.other), ("other_kind", entry.other_kind)
    x.update([(name, value) for name, value in said if value])
    if entry.until:
        x["until"] = entry.until
    if entry.since:
        x["since"] = entry.since
    if entry.primary:
        x["primary"] = 1
    fields: dict[str, Any] = {
        "v": 1, "id": entry.id, "t": entry.kind, "at": entry.at, "ts": entry.ts, "sub": entry.sub, "ver": ver, "prev": prev,
        "act": entry.act, "src": entry.src, "by": entry.by, "via": entry.via, "effect": entry.effect, "d": commitment,
    }  # fmt: skip
    if entry.scope is not None:
        fields["scope"] = [entry.scope.brand, entry.scope.channel, entry.scope.category]
    optional = (("own", int(entry.own)), ("strong", int(entry.strong)), ("rule", entry.rule), ("about", entry.about), ("x", x))
    fields.update([(name, value) for name, value in optional if value])
    return fields


def entry_of(fields: dict[str, Any]) -> Entry:
    """The entry that a leaf's fields describe: the inverse of `leaf_fields`. Raises KeyError or ValueError when one is missing."""
    get, x = fields.get, dict(fields.get("x", ()))
    taken, scope = x.pop, fields.get("scope")
    # By places, and with scopes that are made once: an audit makes an entry of every leaf there is.
    return Entry(
        fields["id"], fields["sub"], fields["t"], fields["at"], fields["ts"], fields["act"], fields["src"], fields["by"], fields["via"],
        fields["effect"], _scope(*scope) if scope else None, bool(get("own")), bool(get("strong")), taken("method", ""), get("rule", ""),
        get("about", ""), taken("old", ""), taken("new", ""), int(taken("until", 0)), int(taken("since", 0)), taken("other", ""),
        taken("other_kind", ""), bool(taken("primary", 0)), tuple(sorted(x.items())) if x else (),
    )  # fmt: skip


_scope: Final = lru_cache(maxsize=4_096)(Scope)
