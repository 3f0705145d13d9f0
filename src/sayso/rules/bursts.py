"""Bursts: opt-outs that machines may have made. Says which ones look like it; never doubts that an opt-out is honoured.

Security products open the links in a mail, and some press what they find; a stranger with a pile of leaked links can do the same.
What gives machines away is many people at once: one network or one mail host, seconds after delivery, with hardly more than one user
agent. A mark costs nothing (the opt-out stands); a missed burst leaves people without mail they wanted. So signs may be coarse, but
whoever takes their time is never marked for their mail host.
"""

import ipaddress
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sayso.rules.times import SECOND

WINDOW: Final = 60 * SECOND
"""People of one burst stop within a minute of each other: scanners work through a delivery at once, people do not."""
QUICK: Final = 60 * SECOND
"""Sooner after delivery few people have read a mail and decided; scanners look at it before or as it is put into the mailbox."""
PEOPLE: Final = 3
"""Two colleagues may press at the same moment; three within a minute and seconds after delivery are hardly chance."""
PER_AGENT: Final = 3
"""A machine has one user agent, a farm of them a few; people bring nearly one each."""
CROWD: Final = 20
"""So many people with one user agent on one network within a minute are one hand, however long ago the mail came."""
LIVE: Final = 600 * SECOND
"""What was said longer ago when we were told is history that somebody brings along, not what happens now."""
SOURCES: Final = frozenset({"one_click", "preference_center", "email_link"})
"""Doors that a link in a message leads to."""
PUBLIC_HOSTS: Final = frozenset(
    {
        "aol.com", "gmail.com", "gmx.de", "gmx.net", "googlemail.com", "hotmail.com", "icloud.com", "libero.it", "live.com", "mail.ru",
        "me.com", "msn.com", "orange.fr", "outlook.com", "proton.me", "protonmail.com", "qq.com", "t-online.de", "web.de", "yahoo.com",
        "ymail.com", "163.com",
    }
)  # fmt: skip
"""Mail hosts with so many people that a few of them at once say nothing about the host."""
_INSIDE: Final = tuple(
    ipaddress.ip_network(net)
    for net in ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "::/127",
                "fc00::/7", "fe80::/10")
)  # fmt: skip
_SCANNERS: Final = re.compile(
    r"bot\b|crawl|spider|scan|preview|headless|phantomjs|selenium|puppeteer|playwright|barracuda|proofpoint|urldefense|mimecast|safelinks"
    r"|ironport|fireeye|trellix|forcepoint|sophos|trend ?micro|symantec|messagelabs|zscaler|checkpoint|cloudmark|imageproxy|facebookexternalhit"
    r"|^(?:curl|wget|python|aiohttp|httpx|go-http-client|java|okhttp|libwww|axios|node|undici|ruby|perl|php|guzzle|apache-httpclient)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Signal:
    """One opt-out as a sign. Network, host and agent are keyed hashes (b"" unknown); times in microseconds.

    `person` and `address` are pseudonyms: whose it is, and the address that spoke ("" for none).
    `after` is the time since the last message reached this person (None: unknown), `scanner` whether the user agent is a known machine's,
    `relayed` whether a mailbox provider may have pressed on behalf of its user (one-click). `burst` is where it belongs already,
    `closed` whether that burst was offered its way back: nobody joins it any more.
    """

    entry: str
    person: str
    at: int
    network: bytes
    host: bytes
    agent: bytes
    scanner: bool
    relayed: bool
    after: int | None
    address: str = ""
    burst: str = ""
    closed: bool = False

    @property
    def quick(self) -> bool:
        """Whether it came within seconds of delivery."""
        return self.after is not None and 0 <= self.after <= QUICK

    @property
    def machine(self) -> bool:
        """Whether it looks like a machine's by itself; of a provider's relay the user agent says nothing."""
        return self.quick or (self.scanner and not self.relayed)


@dataclass(frozen=True, slots=True)
class Found:
    """Opt-outs that belong together; `burst` names the open burst that they join ("" for a new one)."""

    burst: str
    entries: tuple[str, ...]


def is_sign(fields: Mapping[str, Any]) -> bool:
    """Whether a leaf is a person's own opt-out through a link, just said; of its copies only the first."""
    x = fields.get("x", {})
    return (
        fields["t"] == "choice" and fields["src"] in SOURCES and bool(fields.get("own")) and x.get("new") == "opted_out"
        and fields["effect"] in ("applied", "unchanged") and "twin" not in x and fields.get("rule") != "spread_from_email" and fields["at"] - fields["ts"] <= LIVE
    )  # fmt: skip


def network_of(ip: str | None) -> str:
    """The network an address belongs to: IPv4 /24, IPv6 /48 (what one site is given).

    "" for what is no address, and for one from inside: behind a proxy that tells no addresses everybody seems to come from there.
    """
    try:
        address = ipaddress.ip_address((ip or "").strip())
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if any(address in inner for inner in _INSIDE if inner.version == address.version):
        return ""
    return str(ipaddress.ip_network(f"{address}/{24 if address.version == 4 else 48}", strict=False))


def is_scanner(agent: str | None) -> bool:
    """Whether a user agent is known to be a program that looks at links, or a program at all."""
    return bool(_SCANNERS.search(agent or ""))


def host_of(email: str | None) -> str:
    """The mail host that people are grouped by: the domain of their address, "" for none and for public ones."""
    domain = (email or "").rpartition("@")[2].lower()
    return "" if domain in PUBLIC_HOSTS else domain


@dataclass(slots=True)
class _Window:
    """What a minute of one group holds, kept up to date while it moves: people, and user agents of those that look like machines."""

    machines: Counter[str]
    agents: Counter[bytes]
    others: Counter[str]
    everybody: Counter[str]
    all_agents: Counter[bytes]

    def is_burst(self) -> bool:
        people = len(self.machines)
        # A network that carries as many unhurried people is a provider's relay or an office, not a scanner.
        return people >= PEOPLE and len(self.agents) <= max(1, people // PER_AGENT) and len(self.others) <= people

    def is_crowd(self) -> bool:
        return len(self.everybody) >= CROWD and len(self.all_agents) == 1 and b"" not in self.all_agents

    def move(self, one: Signal, by: int) -> None:
        _count(self.everybody, one.person, by)
        _count(self.all_agents, one.agent, by)
        _count(self.machines if one.machine else self.others, one.person, by)
        if one.machine:
            _count(self.agents, one.agent, by)


def find(signals: Iterable[Signal]) -> tuple[Found, ...]:
    """The bursts among some opt-outs, each entry in at most one; entries that belong to one already are not named again.

    The same for every order of the signals. Runs of one network and of one mail host that share an entry are one burst.
    """
    ordered = sorted(set(signals), key=lambda one: (one.at, one.entry))
    runs: list[list[Signal]] = []
    for name in ("network", "host"):
        groups: defaultdict[bytes, list[Signal]] = defaultdict(list)
        for one in ordered:
            if key := getattr(one, name):
                groups[key].append(one)
        for group in groups.values():
            runs += _runs(group, crowds=name == "network")
    return tuple(found for run in _joined(runs) if (found := _found(run)).entries)


def _runs(group: Sequence[Signal], *, crowds: bool) -> list[list[Signal]]:
    """The runs of one network or host: signals of all windows that are a machine's, windows that overlap in one run."""
    suspected = _marked(group, _Window.is_burst)
    if crowds:
        steady = [one for one in group if not one.relayed]
        suspected |= {one.entry for one in steady} & _marked(steady, _Window.is_crowd, everybody=True)
    runs: list[list[Signal]] = []
    for one in group:
        if one.entry not in suspected:
            continue
        if runs and one.at - runs[-1][-1].at <= WINDOW:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs


def _marked(group: Sequence[Signal], holds: Callable[[_Window], bool], *, everybody: bool = False) -> set[str]:
    """The entries in any minute for which `holds`; without `everybody` only those that look like a machine's themselves."""
    window = _Window(Counter(), Counter(), Counter(), Counter(), Counter())
    marked: set[str] = set()
    first = upto = 0
    for last, one in enumerate(group):
        window.move(one, 1)
        while group[first].at < one.at - WINDOW:
            window.move(group[first], -1)
            first += 1
        if holds(window):
            marked |= {each.entry for each in group[max(first, upto) : last + 1] if everybody or each.machine}
            upto = last + 1
    return marked


def _count(counter: Counter[Any], key: Any, by: int) -> None:
    counter[key] += by
    if not counter[key]:
        del counter[key]


def _joined(runs: Sequence[Sequence[Signal]]) -> list[list[Signal]]:
    """Runs that share an entry as one, each in the order of time; the earliest first."""
    whose: dict[str, int] = {}
    sets: dict[int, dict[str, Signal]] = {}
    for number, run in enumerate(runs):
        mine = {one.entry: one for one in run}
        for other in {whose[entry] for entry in mine if entry in whose}:
            mine |= sets.pop(other)
        sets[number] = mine
        whose.update(dict.fromkeys(mine, number))
    return sorted((sorted(one.values(), key=lambda s: (s.at, s.entry)) for one in sets.values()), key=lambda run: (run[0].at, run[0].entry))


def _found(run: Sequence[Signal]) -> Found:
    opened = next((one.burst for one in run if one.burst and not one.closed), "")
    return Found(opened, tuple(one.entry for one in run if not one.burst))
