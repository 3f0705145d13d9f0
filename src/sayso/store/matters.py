"""What letters are about, as the bytes that are sealed, and back."""

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any
from uuid import UUID

from sayso.contracts.letters import Changed, Confirmation, DoubleOptIn, FreshLink, LetterKind, Matter, Offer
from sayso.rules.words import Scope

KIND: dict[type[Matter], LetterKind] = {
    Confirmation: "confirmation", FreshLink: "link", DoubleOptIn: "double_opt_in", Offer: "offer",
}  # fmt: skip
_MATTER = {kind: matter for matter, kind in KIND.items()}


def kind_of(matter: Matter) -> LetterKind:
    """The kind of letter that this is."""
    return KIND[type(matter)]


def to_bytes(matter: Matter) -> bytes:
    """The matter as JSON."""
    return json.dumps({one.name: _plain(getattr(matter, one.name)) for one in fields(matter)}, ensure_ascii=False).encode()


def from_bytes(kind: str, plain: bytes) -> Matter:
    """The matter of a letter of this kind. Raises KeyError, TypeError or ValueError for bytes that are none."""
    given = json.loads(plain)
    read: dict[str, Any] = {"changes": _changes, "scopes": _scopes, "scope": _scope, "pending": UUID}
    return _MATTER[_kind(kind)](**{name: read.get(name, _same)(value) for name, value in given.items()})


def _kind(kind: str) -> LetterKind:
    return next(known for known in _MATTER if known == kind)


def _plain(value: Any) -> Any:
    match value:
        case UUID():
            return str(value)
        case Scope():
            return [value.brand, value.channel, value.category]
        case Changed():
            return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
        case tuple():
            return [_plain(one) for one in value]
    return value


def _same(value: Any) -> Any:
    return value


def _scope(value: Sequence[str]) -> Scope:
    return Scope(*value)


def _scopes(value: Sequence[Sequence[str]]) -> tuple[Scope, ...]:
    return tuple(Scope(*one) for one in value)


def _changes(value: Sequence[dict[str, Any]]) -> tuple[Changed, ...]:
    return tuple(Changed(**{**one, "scope": _scope(one["scope"])}) for one in value)
