"""A portrait: one subject as others are told about it, names opened and everything read together."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sayso.contracts.connector import TargetAddress
from sayso.rules.view import Reading


@dataclass(frozen=True, slots=True)
class Portrait:
    """Who it is (names as given), how they stand, and the preferences document for the brand that was asked for.

    `readings` unite the restrictions of every address of every contact involved, as the gate does.
    """

    sub: str
    contact_id: str | None
    addresses: tuple[TargetAddress, ...]
    readings: tuple[Reading, ...]
    document: Mapping[str, Any] = field(repr=False)
    version: int
    blocks: tuple[str, ...] = ()


Portray = Callable[[Sequence[str], str | None], Awaitable[Mapping[str, Portrait]]]
"""Portraits of subjects by pseudonym for one brand (None: the whole company); erased subjects are missing."""
