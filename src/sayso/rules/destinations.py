"""Where deliveries may go: public https endpoints, and what the operator's allow list names. Everything else is refused by name.

Two questions. ``parse_destination`` judges the text of a URL once, when it is configured. ``refusal`` judges one address that a name
resolved to, at every delivery, just before connecting to that very address (guarantees: SSRF, DNS rebinding). No DNS, no I/O here.
Sources: IANA special-purpose address registries (IPv4, IPv6), RFC 6598, 6052, 8215, 3056, 4380, 5214.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

import idna

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

URL_LENGTH = 2_000
PORTS = (443, 8443)

_FORBIDDEN_4 = tuple(
    (IPv4Network(network), why)
    for network, why in (
        ("0.0.0.0/8", "this host"),
        ("10.0.0.0/8", "a private network"),
        ("100.64.0.0/10", "a carrier's shared network"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.169.254/32", "a cloud metadata service"),
        ("169.254.0.0/16", "link-local"),
        ("168.63.129.16/32", "a cloud metadata service"),
        ("172.16.0.0/12", "a private network"),
        ("192.0.0.0/24", "reserved for protocols"),
        ("192.0.2.0/24", "a documentation range"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "a private network"),
        ("198.18.0.0/15", "a benchmark range"),
        ("198.51.100.0/24", "a documentation range"),
        ("203.0.113.0/24", "a documentation range"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_FORBIDDEN_6 = tuple(
    (IPv6Network(network), why)
    for network, why in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("64:ff9b::/96", "a NAT64 translation"),
        ("64:ff9b:1::/48", "a NAT64 translation"),
        ("2001::/32", "a Teredo tunnel"),
        ("2001:db8::/32", "a documentation range"),
        ("2001::/23", "reserved for protocols"),
        ("2002::/16", "a 6to4 tunnel"),
        ("3fff::/20", "a documentation range"),
        ("fc00::/7", "a private network"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "a private network"),
        ("ff00::/8", "multicast"),
    )
)
_GLOBAL_UNICAST_6 = IPv6Network("2000::/3")
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})

_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


class BadDestination(ValueError):
    """A URL that nothing is ever sent to; ``detail`` tells how to mend it."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL taken apart: connect to ``host``:``port``, send ``target``. ``address`` is set where the host is an IP address."""

    scheme: str
    host: str
    port: int
    target: str
    address: IPAddress | None

    @property
    def url(self) -> str:
        """The URL put together again in one form, so that no other parser reads another host out of it."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        port = "" if self.port == (443 if self.scheme == "https" else 80) else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.target}"


def parse_destination(url: str) -> Destination:
    """The destination a URL names; raises BadDestination for anything two programs might read differently.

    Says nothing about where the name leads, nor whether http or the port is allowed: ask ``refusal`` (or ``refused_outright``).
    """
    if len(url) > URL_LENGTH:
        raise BadDestination(f"the URL is longer than {URL_LENGTH:,} characters")
    if not url.isprintable() or "\\" in url or any(letter.isspace() for letter in url):
        raise BadDestination("the URL must not contain white space, control characters or backslashes")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadDestination(f"not a URL: {error}") from None
    if parts.scheme not in ("https", "http"):
        raise BadDestination("the URL must begin with https://")
    if "@" in parts.netloc:
        raise BadDestination("the URL must not contain a user name or password: use the signature to authenticate")
    if "#" in url:
        raise BadDestination("the URL must not have a fragment (#…): it is never sent")
    if port == 0:
        raise BadDestination("port 0 does not exist")
    host, address = _host(parts.netloc, parts.hostname or "")
    target = (parts.path or "/") + (f"?{parts.query}" if "?" in url else "")
    if not target.isascii():
        raise BadDestination("percent-encode the letters outside ASCII in the path and query")
    return Destination(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), target, address)


def refusal(ip: IPAddress | str, port: int, scheme: str, allow: Sequence[IPNetwork]) -> str | None:
    """Why nothing may be sent to this address, or None where it may.

    ``ip`` is what will be connected to (never a name). Addresses inside ``allow`` may be reached over http and on any port.
    Mapped IPv6 is judged as the IPv4 address it stands for; every tunnel and translation prefix is refused as such.
    """
    try:
        address = ipaddress.ip_address(ip) if isinstance(ip, str) else ip
    except ValueError:
        return "not an IP address"
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return f"{address} is bound to one network interface"
        address = address.ipv4_mapped or address
    if any(address in network for network in allow):
        return None
    if scheme != "https":
        return "only https is allowed"
    if port not in PORTS:
        return f"port {port} is not allowed: use {' or '.join(map(str, PORTS))}"
    why = _forbidden_4(address) if isinstance(address, IPv4Address) else _forbidden_6(address)
    return f"{address} is not a public address: {why}" if why else None


def refused_outright(destination: Destination, allow: Sequence[IPNetwork]) -> str | None:
    """Why a destination can be refused before any name is resolved, or None; for a clear answer when it is configured.

    None is no permission: each delivery asks ``refusal`` again for the address it connects to.
    """
    if destination.address is not None:
        return refusal(destination.address, destination.port, destination.scheme, allow)
    if allow:
        return None
    # Any public address will do: only scheme and port are being asked about.
    return refusal(IPv4Address("1.1.1.1"), destination.port, destination.scheme, allow)


def parse_networks(text: str) -> tuple[IPNetwork, ...]:
    """Networks from a list such as ``127.0.0.0/8, ::1, 10.1.0.0/16``; raises ValueError naming the bad one."""
    found: list[IPNetwork] = []
    for word in re.split(r"[,\s]+", text.strip()):
        if not word:
            continue
        try:
            found.append(ipaddress.ip_network(word))
        except ValueError as error:
            raise ValueError(f"{word!r} is not a network ({error}): write it like 127.0.0.0/8 or 10.1.2.3") from None
    return tuple(found)


def _forbidden_4(address: IPv4Address) -> str | None:
    for network, why in _FORBIDDEN_4:
        if address in network:
            return why
    return None if address.is_global else "reserved"


def _forbidden_6(address: IPv6Address) -> str | None:
    for network, why in _FORBIDDEN_6:
        if address in network:
            return why
    if address not in _GLOBAL_UNICAST_6:
        return "reserved"
    if int(address) >> 32 & 0xFFFF_FFFF in _ISATAP:
        return "an ISATAP tunnel"
    return None if address.is_global else "reserved"


def _host(netloc: str, name: str) -> tuple[str, IPAddress | None]:
    if not name:
        raise BadDestination("the URL has no host")
    if netloc.startswith("["):
        try:
            literal = IPv6Address(name)
        except ValueError:
            raise BadDestination("not an IPv6 address between the brackets") from None
        if literal.scope_id is not None:
            raise BadDestination("an IPv6 address in a URL must not name a network interface (%…)")
        return str(literal), literal
    ascii_name = _ascii(name).removesuffix(".")
    labels = ascii_name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        # What ends in a number is an IPv4 address to browsers and to C libraries, in a dozen spellings.
        try:
            dotted = IPv4Address(ascii_name)
        except ValueError:
            raise BadDestination("write an IPv4 address as four plain decimal numbers, like 203.0.113.7") from None
        return str(dotted), dotted
    if len(ascii_name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise BadDestination("not a host name")
    return ascii_name, None


def _ascii(name: str) -> str:
    if name.isascii():
        return name.lower()
    try:
        return idna.encode(name, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError) as error:
        raise BadDestination(f"not a host name: {error}") from None
