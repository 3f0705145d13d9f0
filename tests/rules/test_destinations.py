"""Deliveries leave for public places only, however the address is spelled or embedded."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.rules.destinations import BadDestination, parse_destination, parse_networks, refusal, refused_outright


def words(text: str) -> list[str]:
    return text.split()


LOCAL = parse_networks("127.0.0.0/8, ::1")

FORBIDDEN_ADDRESSES = words("""
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.255.255.254 168.63.129.16 169.254.0.1
169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.1
203.0.113.9 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
:: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:a00:1 ::127.0.0.1 ::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b::8.8.8.8
64:ff9b:1::a00:1 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:db8::1 2001:10::1 2001:20::1 2002:7f00:1:: 2002:a00:1::1 3fff::1
5f00::1 4000::1 fc00::1 fd00:ec2::254 fd20:ce::254 fe80::1 fec0::1 ff02::1 2a00::5efe:a00:1 2a00::200:5efe:7f00:1 fe80::1%eth0
2606:4700::1111%eth0
""")

ALLOWED_ADDRESSES = words("""
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 126.255.255.255 128.0.0.1 169.253.255.255 172.15.255.255 172.32.0.1
192.0.1.1 192.167.255.255 192.169.0.1 198.17.255.255 198.20.0.1 223.255.255.255 ::ffff:8.8.8.8 2606:4700:4700::1111 2a00:1450:4001::1
""")

FORBIDDEN_URLS = words("""
http://1.1.1.1/ http://example.com/ http://example.com:443/ https://example.com:80/ https://example.com:22/ https://example.com:8444/
https://127.0.0.1/ https://127.0.0.1:8443/ https://10.1.2.3/hook https://[::1]/ https://[::ffff:127.0.0.1]/ https://[fe80::1]/
https://[::ffff:7f00:1]/ https://[64:ff9b::7f00:1]/ https://[2002:7f00:1::]/ https://[fd00::1]/ https://[::]/ https://0.0.0.0/
https://169.254.169.254/latest/meta-data/ https://100.64.0.1/ https://224.0.0.1/ https://１２７.０.０.１/ https://127。0。0。1/
https://127.0.0.1./
""")

BROKEN_URLS = [
    "", "example.com", "//example.com/", "https:example.com", "https:/example.com", "https://", "https:///x", "https://:443/", "ftp://example.com/",
    "file:///etc/passwd", "gopher://example.com/", "javascript:alert(1)", "unix:///run/x.sock", "HTTPS//example.com", "https://ada@example.com/",
    "https://ada:secret@example.com/", "https://example.com@127.0.0.1/", "https://@example.com/", "https://example.com/#x", "https://example.com/#",
    "https://example.com:0/", "https://example.com:65536/", "https://example.com:x/", "https://example.com:-1/", "https://exa mple.com/",
    "https://example.com/\r\nHost: x", "https://example.com/\x00", "https://example.com/a b", "https://example.com\\@127.0.0.1/",
    "https://example.com/\u00e9", "https://127.1/", "https://127.0.1/", "https://2130706433/", "https://0x7f.1/", "https://0x7f000001/",
    "https://0177.0.0.1/", "https://127.0.0.01/", "https://127.0.0.0x1/", "https://1.2.3.4.5/", "https://256.1.1.1/", "https://foo.0x/",
    "https://[::1/", "https://::1/", "https://[127.0.0.1]/", "https://[fe80::1%25eth0]/", "https://[::1%eth0]/", "https://%31%32%37.0.0.1/",
    "https://exa%6dple.com/", "https://-a.example/", "https://a..b/", "https://.example.com/", "https://" + "a" * 64 + ".example/",
    "https://" + "a." * 127 + "example/", "https://example.com/" + "x" * 2_000, "https://xn--\u00e9.example/", "https://a\u2100b.example/",
    "https://a;b:c@d/", "https://example.com,evil.example/", "https://[vA.:]/", "https://exam\u200dple\u2024.0x1/",
]  # fmt: skip

ALLOWED_URLS = {
    "https://example.com": "https://example.com/",
    "https://Example.COM:443/hook?x=1": "https://example.com/hook?x=1",
    "HTTPS://example.com/?": "https://example.com/?",
    "https://hooks.example.com:8443/a/b%20c": "https://hooks.example.com:8443/a/b%20c",
    "https://münchen.example/": "https://xn--mnchen-3ya.example/",
    "https://example.com./": "https://example.com/",
    "https://1.1.1.1/": "https://1.1.1.1/",
    "https://[2606:4700:4700:0:0:0:0:1111]:8443/x": "https://[2606:4700:4700::1111]:8443/x",
    "https://a_b.example/@x": "https://a_b.example/@x",
}


@pytest.mark.parametrize("ip", FORBIDDEN_ADDRESSES)
def test_forbidden_addresses_are_refused(ip: str) -> None:
    assert refusal(ip, 443, "https", ())


@pytest.mark.parametrize("ip", ALLOWED_ADDRESSES)
def test_public_addresses_are_reached(ip: str) -> None:
    assert refusal(ip, 443, "https", ()) is None
    assert refusal(ip, 8443, "https", ()) is None


@pytest.mark.parametrize("url", FORBIDDEN_URLS)
def test_forbidden_urls_are_refused_outright(url: str) -> None:
    assert refused_outright(parse_destination(url), ())


@pytest.mark.parametrize("url", BROKEN_URLS)
def test_urls_that_two_programs_may_read_differently_are_no_urls(url: str) -> None:
    with pytest.raises(BadDestination) as refused:
        parse_destination(url)
    assert refused.value.detail


@pytest.mark.parametrize(("url", "plain"), ALLOWED_URLS.items())
def test_allowed_urls_get_one_form(url: str, plain: str) -> None:
    destination = parse_destination(url)
    assert destination.url == plain
    assert parse_destination(plain) == destination
    assert refused_outright(destination, ()) is None


def test_the_allow_list_opens_http_and_every_port_there_and_nowhere_else() -> None:
    for ip in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"):
        assert refusal(ip, 8400, "http", LOCAL) is None
    for ip in ("10.0.0.1", "8.8.8.8", "64:ff9b::7f00:1"):
        assert refusal(ip, 8400, "http", LOCAL)
    assert refusal("8.8.8.8", 443, "https", LOCAL) is None
    assert refused_outright(parse_destination("http://localhost:9/x"), LOCAL) is None
    assert refused_outright(parse_destination("http://127.0.0.1:9/x"), LOCAL) is None
    assert refused_outright(parse_destination("http://10.0.0.1:9/x"), LOCAL)


def test_what_is_no_address_is_refused() -> None:
    assert refusal("localhost", 443, "https", ()) == "not an IP address"
    assert refusal("8.8.8.8", 443, "ftp", ()) == "only https is allowed"


def test_networks_are_read_from_a_list() -> None:
    assert parse_networks(" 127.0.0.0/8 ::1,10.1.2.3 ") == (ip_network("127.0.0.0/8"), ip_network("::1/128"), ip_network("10.1.2.3/32"))
    assert parse_networks("") == ()
    for text in ("localhost", "10.0.0.1/8", "10.0.0.0/33"):
        with pytest.raises(ValueError, match="write it like"):
            parse_networks(text)


@given(st.ip_addresses(v=4))
def test_an_embedded_address_is_never_freer_than_itself(inner: IPv4Address) -> None:
    plain = refusal(inner, 443, "https", ())
    assert (refusal(IPv6Address(0xFFFF << 32 | int(inner)), 443, "https", ()) is None) == (plain is None)
    for tunnel in ("64:ff9b::", "64:ff9b:1::", "::", "2001:0:1:2:3:4::"):
        assert refusal(IPv6Address(int(IPv6Address(tunnel)) | int(inner)), 443, "https", ())
    assert refusal(IPv6Address(0x2002 << 112 | int(inner) << 80), 443, "https", ())
    if plain is None:
        assert inner.is_global
        assert not inner.is_private


@given(st.ip_addresses(v=6))
def test_only_global_unicast_is_reached(address: IPv6Address) -> None:
    if refusal(address, 443, "https", ()) is None:
        assert address.ipv4_mapped is not None or (address.is_global and int(address) >> 125 == 1)


@given(st.ip_addresses(), st.integers(0, 65_535), st.sampled_from(["http", "https", "ws"]))
def test_the_allow_list_is_exact(address: IPv4Address | IPv6Address, port: int, scheme: str) -> None:
    network = IPv4Network("10.20.0.0/16")
    if refusal(address, port, scheme, (network,)) != refusal(address, port, scheme, ()):
        real = address.ipv4_mapped if isinstance(address, IPv6Address) else address
        assert real in network


@given(st.text(max_size=60) | st.text(max_size=60).map("https://".__add__))
def test_no_text_breaks_the_reader(url: str) -> None:
    try:
        destination = parse_destination(url)
    except BadDestination as refused:
        assert refused.detail
    else:
        assert parse_destination(destination.url) == destination
        assert destination.url.isascii()
