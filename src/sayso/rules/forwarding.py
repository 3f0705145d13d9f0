"""Who is at the other end: the peer itself, or whom a reverse proxy of ours says it speaks for.

Anybody can write ``X-Forwarded-For``. It is believed only as far as the operator's own proxies wrote it: from the right, as long as the
one who wrote a part is trusted. Nothing is trusted unless it is named.
"""

import ipaddress
from collections.abc import Sequence

from sayso.rules.destinations import IPNetwork


def caller(peer: str, forwarded: str, trusted: Sequence[IPNetwork]) -> str:
    """The address of the caller: `peer` is who is connected, `forwarded` the header's value ("" for none)."""
    at = peer
    for said in reversed([one.strip() for one in forwarded.split(",")] if forwarded else []):
        if not _is_in(at, trusted):
            break
        try:
            at = str(ipaddress.ip_address(said))
        except ValueError:
            break  # whoever stands there did not say who they are
    return at


def network(address: str) -> str:
    """The network of an address as limits count it: 256 addresses of IPv4, a site (/48) of IPv6; "unknown" for anything else."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))


def _is_in(address: str, networks: Sequence[IPNetwork]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found.version == one.version and found in one for one in networks)
