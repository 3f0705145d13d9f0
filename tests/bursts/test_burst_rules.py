"""Which opt-outs are marked: what machines do in a minute, and never what people do in their own time."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.rules.bursts import CROWD, PEOPLE, QUICK, WINDOW, Signal, find, host_of, is_scanner, is_sign, network_of
from sayso.rules.times import SECOND

NOW = 1_764_000_000 * SECOND
FIREFOX = b"firefox"
SCANNERS = (
    "Mozilla/5.0 (compatible; Barracuda Sentinel (EE))",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/119.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
    "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Trident/5.0; SafeLinks)",
    "python-requests/2.32.3",
    "Go-http-client/2.0",
    "curl/8.11.0",
    "Java/17.0.9",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 zgrab/0.x Mimecast-URL-Scanner",
)
PEOPLES = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0",
    "Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36",
    "Opera/9.80 (Windows NT 6.1; WOW64) Presto/2.12.388 Version/12.18",
    "",
)


def opt_out(number: int, *, at: int = 0, after: int | None = 5, agent: bytes = b"a", **more: object) -> Signal:
    """One person's opt-out, `at` and `after` in seconds."""
    one = Signal(
        entry=f"e{number:04}", person=f"p{number}", at=NOW + at * SECOND, network=b"net", host=b"host", agent=agent, scanner=False,
        relayed=False, after=None if after is None else after * SECOND,
    )  # fmt: skip
    return replace(one, **more)  # type: ignore[arg-type]  # keywords of Signal


def marked(*signals: Signal) -> set[str]:
    return {entry for found in find(signals) for entry in found.entries}


@pytest.mark.feature("S4")
def test_three_people_of_one_network_seconds_after_delivery_are_a_burst() -> None:
    three = [opt_out(n, at=n) for n in range(3)]
    assert [found.entries for found in find(three)] == [("e0000", "e0001", "e0002")]
    assert not marked(*three[:2])
    assert not marked(*(replace(one, person="p1") for one in three)), "one person, however often, is nobody else's machine"


@pytest.mark.feature("S4")
def test_one_mail_host_over_many_networks_is_a_burst_and_runs_that_share_an_entry_are_one() -> None:
    cloud = [opt_out(n, network=f"net{n}".encode()) for n in range(5)]
    assert len(marked(*cloud)) == 5
    beside = [opt_out(9, network=b"net0", host=b"x"), opt_out(10, network=b"net0", host=b"y")]
    assert len(find([*cloud, *beside])) == 1


def test_what_is_no_burst() -> None:
    assert not marked(*(opt_out(n, after=61) for n in range(CROWD - 1))), "they took their time"
    assert not marked(*(opt_out(n, after=None) for n in range(CROWD - 1))), "nobody knows whether they did"
    assert not marked(*(opt_out(n, at=40 * n) for n in range(8))), "one after the other"
    assert not marked(*(opt_out(n, agent=f"a{n}".encode()) for n in range(5))), "each with a browser of their own"
    assert not marked(*(opt_out(n, network=b"", host=b"") for n in range(8))), "nothing in common that is known"
    relay = [opt_out(n, host=b"", relayed=True, scanner=True, after=3_600 * n + 70) for n in range(50)]
    assert not marked(*relay), "a provider's relay carries what its users press"
    assert not marked(*relay, *(opt_out(100 + n, host=b"", relayed=True) for n in range(3))), (
        "among so many unhurried ones quick ones are people"
    )


@pytest.mark.feature("S4")
def test_a_scanner_that_names_itself_is_one_however_late_and_a_crowd_with_one_browser_too() -> None:
    assert len(marked(*(opt_out(n, after=90_000, scanner=True) for n in range(3)))) == 3
    crowd = [opt_out(n, host=b"", after=90_000 if n % 2 else None) for n in range(CROWD)]
    assert len(marked(*crowd)) == CROWD
    assert not marked(*(replace(one, relayed=True) for one in crowd))
    assert not marked(*(replace(one, agent=b"") for one in crowd))


def test_who_joins_later_joins_the_same_burst_unless_it_was_offered() -> None:
    first = [opt_out(n) for n in range(3)]
    known = [replace(one, burst="b1") for one in first]
    late = opt_out(7, at=30)
    assert [(found.burst, found.entries) for found in find([*known, late])] == [("b1", ("e0007",))]
    assert find(known) == ()
    closed = [replace(one, closed=True) for one in known]
    assert [(found.burst, found.entries) for found in find([*closed, late])] == [("", ("e0007",))]


SIGNALS = st.builds(
    opt_out, st.integers(0, 40), at=st.integers(0, 240), after=st.sampled_from([None, 2, 30, 60, 61, 4_000]),
    agent=st.sampled_from([b"a", b"b", b"c", b""]), network=st.sampled_from([b"", b"n1", b"n2"]), host=st.sampled_from([b"", b"h1", b"h2"]),
    scanner=st.booleans(), relayed=st.booleans(),
)  # fmt: skip
SEVERAL = st.lists(SIGNALS, max_size=60, unique_by=lambda one: one.entry)


def plainly(signals: list[Signal]) -> set[str]:
    """The rule as it is said, tried on every minute of every group; slow, and with nothing kept while it moves."""
    found: set[str] = set()
    for name in ("network", "host"):
        for key in {getattr(one, name) for one in signals} - {b""}:
            group = [one for one in signals if getattr(one, name) == key]
            for last in group:
                minute = [one for one in group if last.at - WINDOW <= one.at and (one.at, one.entry) <= (last.at, last.entry)]
                machines = [one for one in minute if one.machine]
                people, others = {one.person for one in machines}, {one.person for one in minute if not one.machine}
                agents = {one.agent for one in machines}
                if len(people) >= PEOPLE and len(agents) <= max(1, len(people) // 3) and len(others) <= len(people):
                    found |= {one.entry for one in machines}
                steady = [one for one in minute if not one.relayed]
                one_agent = len({one.agent for one in steady}) == 1 and not any(one.agent == b"" for one in steady)
                if name == "network" and len({one.person for one in steady}) >= CROWD and one_agent:
                    found |= {one.entry for one in steady}
    return found


@given(SEVERAL)
@pytest.mark.feature("S4")
def test_the_moving_window_marks_what_the_rule_says(signals: list[Signal]) -> None:
    found = find(signals)
    named = [entry for one in found for entry in one.entries]
    assert len(named) == len(set(named))
    assert set(named) == plainly(signals)


@given(SEVERAL, st.randoms())
def test_the_order_of_arrival_changes_nothing(signals: list[Signal], chance: object) -> None:
    shuffled = list(signals)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis' random.Random
    assert find(shuffled) == find(signals)


@given(SEVERAL, st.integers(1, 7))
def test_read_in_small_portions_the_same_is_marked(signals: list[Signal], size: int) -> None:
    ordered = sorted(signals, key=lambda one: (one.at, one.entry))
    kept: dict[str, Signal] = {}
    for start in range(0, len(ordered), size):
        portion = ordered[start : start + size]
        recent = [one for one in kept.values() if one.at >= portion[0].at - WINDOW]
        kept |= {one.entry: one for one in portion}
        for number, found in enumerate(find([*recent, *portion])):
            kept |= {entry: replace(kept[entry], burst=found.burst or f"{start}.{number}") for entry in found.entries}
    assert {one.entry for one in kept.values() if one.burst} == marked(*signals)


@given(st.lists(SIGNALS, max_size=60, unique_by=lambda one: one.entry))
@pytest.mark.feature("S4")
def test_slow_people_are_never_marked_for_what_others_at_their_mail_host_do(signals: list[Signal]) -> None:
    slow = {one.entry for one in signals if not one.machine and one.after is not None and one.after > QUICK}
    unhurried = [replace(one, network=b"") if one.entry in slow else one for one in signals]
    assert not slow & marked(*unhurried)


@given(st.lists(st.builds(opt_out, st.integers(0, 400), at=st.integers(0, 90), after=st.integers(61, 90_000)), max_size=CROWD - 1))
@pytest.mark.feature("S4")
def test_an_office_that_reads_its_mail_is_never_marked(signals: list[Signal]) -> None:
    assert not marked(*signals)


@pytest.mark.feature("S4")
@pytest.mark.parametrize("agent", SCANNERS)
def test_scanners_are_known_by_their_names(agent: str) -> None:
    assert is_scanner(agent)


@pytest.mark.parametrize("agent", PEOPLES)
def test_browsers_are_no_scanners(agent: str) -> None:
    assert not is_scanner(agent)


def test_networks_and_hosts() -> None:
    assert network_of("203.0.113.7") == network_of("203.0.113.250") == network_of("::ffff:203.0.113.9") == "203.0.113.0/24"
    assert network_of("2001:db8:5:1::7") == network_of("2001:db8:5:ffff::1") == "2001:db8:5::/48"
    assert {network_of(inside) for inside in ("127.0.0.1", "10.1.2.3", "192.168.1.1", "::1", "fd00::7", "", None, "nonsense", "1.2.3")} == {
        ""
    }
    assert host_of("ada@Company.example") == "company.example"
    assert host_of("ada@gmail.com") == host_of(None) == ""


def test_which_entries_are_signs() -> None:
    leaf = {"at": NOW, "ts": NOW, "t": "choice", "src": "one_click", "own": 1, "effect": "applied", "x": {"new": "opted_out"}}
    assert is_sign(leaf)
    assert is_sign({**leaf, "effect": "unchanged"})
    for other in (
        {"t": "pause"}, {"src": "api"}, {"own": 0}, {"effect": "superseded"}, {"x": {"new": "opted_in"}}, {"rule": "spread_from_email"}, {"ts": NOW - 3_600 * SECOND},
        {"x": {"new": "opted_out", "twin": "e1"}},
    ):  # fmt: skip
        assert not is_sign({**leaf, **other})
