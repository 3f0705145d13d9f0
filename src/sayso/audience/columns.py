"""Which column of an input says what: `email`, `phone` or `address`, `contact_id`, `country`, `business_unit`."""

from collections.abc import Sequence
from typing import Final

from sayso.audience.rows import ADDED, Columns
from sayso.contracts.audience import BadAudience
from sayso.rules.subjects import ADDRESS_KIND

_ADDRESS: Final = {"email": ("email", "address"), "phone": ("phone", "address")}
_BRAND: Final = ("business_unit", "businessunit")


def columns_of(names: Sequence[str], channel: str) -> Columns:
    """The columns for a channel, found by their names in any case. Raises BadAudience."""
    folded: dict[str, list[str]] = {}
    for name in names:
        folded.setdefault(name.strip().lower(), []).append(name)
    for field in ADDED:
        if field.name in folded:
            raise BadAudience(f"there is a column {folded[field.name][0]!r} already: screening adds it; rename or remove yours")
    wanted = _ADDRESS.get(ADDRESS_KIND[channel], ("address",))
    found = Columns(_one(folded, wanted), _one(folded, ("contact_id",)), _one(folded, ("country",)), _one(folded, _BRAND))
    if found.address is None and found.contact is None:
        shown = ", ".join(repr(name[:40]) for name in names[:12]) or "none"
        raise BadAudience(f"no column says whom to judge: for {channel} name one {' or '.join(wanted)} or contact_id; there are {shown}")
    return found


def _one(folded: dict[str, list[str]], wanted: Sequence[str]) -> str | None:
    for name in wanted:
        given = folded.get(name, [])
        if len(given) > 1:
            raise BadAudience(f"there are {len(given)} columns {given[0]!r}: which one is meant cannot be told")
        if given:
            return given[0]
    return None
