"""A forwarded address is believed as far as the operator's own proxies wrote it."""

import pytest

from sayso.rules.destinations import parse_networks
from sayso.rules.forwarding import caller, network

PROXY = parse_networks("127.0.0.0/8 fd00::/8")


@pytest.mark.parametrize(("peer", "forwarded", "found"), [
    ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
    ("127.0.0.1", "", "127.0.0.1"),
    ("127.0.0.1", "203.0.113.7", "203.0.113.7"),
    ("127.0.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
    ("127.0.0.1", "198.51.100.1, 203.0.113.7, 127.0.0.2", "203.0.113.7"),
    ("fd00::1", "2001:DB8::1", "2001:db8::1"),
    ("127.0.0.1", "nonsense", "127.0.0.1"),
    ("127.0.0.1", "203.0.113.7, nonsense", "127.0.0.1"),
    ("", "203.0.113.7", ""),
])  # fmt: skip
def test_only_what_a_trusted_proxy_wrote_counts(peer: str, forwarded: str, found: str) -> None:
    assert caller(peer, forwarded, PROXY) == found
    assert caller(peer, forwarded, ()) == peer


@pytest.mark.parametrize(("address", "found"), [
    ("203.0.113.7", "203.0.113.0/24"), ("2001:db8:1:2::3", "2001:db8:1::/48"), ("here", "unknown"),
])  # fmt: skip
def test_limits_count_networks(address: str, found: str) -> None:
    assert network(address) == found
