"""Whatever comes, each parser gives a value or raises what it says it raises: nothing else, and nothing hangs."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odd_values import broken, cut, leaves, spoilt, texts, values, written

from sayso.commands.csv_file import BadFile, reading
from sayso.connectors import mailchimp, sendgrid, webhook
from sayso.contracts.connector import BadCall, BadSettings, BadSignature, Call, Connector, Heard, Settings, UnknownEvent
from sayso.rules import leaves as leaf_rules
from sayso.rules.catalogue import DEFAULT
from sayso.rules.destinations import BadDestination, parse_destination, refusal, refused_outright
from sayso.rules.loose_times import latest_time
from sayso.rules.merkle import ProofRefused, leaf_hash
from sayso.rules.notes import (
    Checkpoint,
    NoteMalformed,
    NoteRefused,
    checkpoint_text,
    key_of,
    key_text,
    open_checkpoint,
    open_note,
    parse_checkpoint,
    parse_key,
    parse_note,
    sign,
)
from sayso.rules.optouts import BadColumns, BadRow, Reading, columns_of, guessed_header, is_header, read_row
from sayso.rules.proofs import Proof, ProofMalformed, parse_proof, proof_text, verify_proof
from sayso.rules.subjects import InvalidAddress, aliases, mask, parse_address, parse_contact_id
from sayso.rules.tilepaths import BundleRefused, PathRefused, bundle, parse_path, path_text, unbundle
from sayso.rules.times import format_time, parse_duration, parse_time
from sayso.rules.tokens import BadToken, Link, Ring, read, read_link, read_permit, sign_link, sign_permit, unpack
from sayso.rules.words import CHANNELS, Scope, UnknownChannel, channel_named
from sayso.testing.fake_sendgrid import FakeSendGrid
from shares import Ran, share

fuzz = settings(
    max_examples=150, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)  # fmt: skip
NOW = 1_795_341_600_000_000
binary = st.binary(max_size=80)


def only(said: type[Exception] | tuple[type[Exception], ...], parse: Callable[[], Any]) -> Any:
    """What a parser gives; None where it refuses as it says."""
    try:
        return parse()
    except said:
        return None


# --- lists of opt-outs -------------------------------------------------------------------------------------------------------

HEADERS = ["email", "E-Mail", "Phone", "contact_id", "address", "channel", "category", "brand", "reason", "Unsubscribe Date", "country", "status", "opt_out",
           "subscribed", "", "\ufeffemail", "ＥＭＡＩＬ"]  # fmt: skip
cells = texts | st.sampled_from(
    [
        "ada@example.com",
        "+4915112345678",
        "c-1",
        "MAIL",
        "promotional",
        "yes",
        "no",
        "unsubscribed",
        "2026-11-22",
        "22.11.2026 10:00",
        "1/2/2026 1:00 pm",
        "1795341600",
        "DE",
        "'+49151",
    ]
)


@pytest.mark.feature("C1")
@fuzz
@given(
    st.lists(st.sampled_from(HEADERS) | texts, max_size=6),
    st.lists(cells, max_size=8),
    st.sampled_from(["", "email", "sms", "*", "post"]),
    st.sampled_from([None, "DE", "US"]),
)
def test_rows_of_lists(header: list[str], row: list[str], channel: str, region: str | None) -> None:
    is_header(header)
    for names in (header, ["email", *header[:3]], list(guessed_header(row))):
        columns = only(BadColumns, lambda names=names: columns_of(names, {}))
        if columns is not None:
            found = only(BadRow, lambda columns=columns: read_row(row, columns, Reading(DEFAULT, channel=channel, region=region)))
            assert found is None or (found.stops and all(stop.scopes for stop in found.stops))


pieces = st.sampled_from([b'"', b"\n", b",", b";", b"\t", b"\r", b"\0", b"\xff", b"\xfe", b"\xef\xbb\xbf", b"sep=;", b"ada@example.com", b'""', b"\xe2\x80", b" ", b"x" * 300,
                          "é".encode(), "💥".encode("utf-16"), b"email", b"PK\x03\x04", b"\x1a", b"|", b"a\0b\0"])  # fmt: skip


@pytest.mark.soak
@pytest.mark.feature("C1")
@settings(fuzz, max_examples=share("G9 hostile files"))
@given(parts=st.lists(pieces | st.binary(max_size=5), max_size=40))
def test_files_are_read_to_their_end_and_no_row_is_lost(tmp_path: Path, ran: Ran, parts: list[bytes]) -> None:
    ran("G9 hostile files", 1)
    place = tmp_path / "list.csv"
    place.write_bytes(b"".join(parts))

    def rows() -> list[Any]:
        with reading(place) as file:
            return list(file.rows)

    found = only(BadFile, rows)
    for before, after in zip(found or (), (found or [])[1:], strict=False):
        assert before.line < after.line
    for row in found or ():
        assert row.line >= 1 and (row.problem or row.cells)


# --- what vendors call about -------------------------------------------------------------------------------------------------

HEARD = (BadSignature, BadCall, UnknownEvent)
CONNECTORS: list[Connector] = [mailchimp, sendgrid, webhook]
calls = st.builds(
    Call,
    method=st.sampled_from(["POST", "GET", "post", "", "\ud800"]),
    headers=st.lists(st.tuples(st.sampled_from(["X-Mailchimp-Signature", "X-Twilio-Email-Event-Webhook-Signature", "X-Twilio-Email-Event-Webhook-Timestamp", "x"]),
                               texts | st.sampled_from(["t=1795341600,v1=00", "t=1,t=2", "1795341600", "AAAA"])), max_size=3).map(tuple),
    query=st.lists(st.tuples(st.sampled_from(["secret", ""]), texts), max_size=2).map(tuple),
    body=binary | values.map(written), received_at=st.just(NOW), path_secret=st.none() | texts.filter(str.isprintable),
)  # fmt: skip
odd_settings = st.dictionaries(
    st.sampled_from(
        [
            "webhook_secret",
            "signing_secret",
            "category",
            "webhook_public_key",
            "groups",
            "marketing_only",
            "base_url",
            "api_key",
            "list_id",
            "url",
            "secrets",
        ]
    ),
    values,
    max_size=6,
)


@pytest.mark.feature("C11")
@fuzz
@given(calls, odd_settings)
def test_calls_that_prove_nothing(call: Call, given_settings: dict[str, Any]) -> None:
    for connector in CONNECTORS:
        for held in (
            {"webhook_secret": "s", "webhook_public_key": FakeSendGrid(lambda: NOW).public_key, "api_key": "k-us1", "list_id": "1"},
            given_settings,
        ):
            heard = only((*HEARD, BadSettings), lambda connector=connector, held=held: connector.hear(Settings(held), call))
            assert not heard or dict(call.query).get("secret") or call.path_secret


@pytest.mark.feature("C11")
@fuzz
@given(odd_settings)
def test_settings_of_connections(given_settings: dict[str, Any]) -> None:
    for connector in CONNECTORS:
        flow = connector.check(Settings(given_settings))
        only((BadSettings, StopIteration), lambda flow=flow: next(flow))


def sound(heard: list[Heard]) -> None:
    """Fails for a fact that no ledger could keep."""
    for fact in heard:
        json.dumps([fact.address, fact.event_name, fact.reason, fact.properties, fact.event_id]).encode()
        for text in (
            fact.address or "",
            fact.event_name,
            fact.reason,
            fact.event_id or "",
            *(value for pair in fact.properties for value in pair),
        ):
            assert "\0" not in text
            text.encode()
        assert fact.ts is None or format_time(fact.ts)


EVENTS = [
    {"email": "ada@example.com", "event": name, "timestamp": 1_795_341_600, "sg_event_id": "e1", "sg_message_id": "m", "reason": "500 no", "status": "5.0.0",
     "type": "blocked", "asm_group_id": 10, "url": "https://x", "attempt": "1"}
    for name in ("processed", "bounce", "dropped", "group_unsubscribe", "group_resubscribe", "unsubscribe", "spamreport", "click")
]  # fmt: skip


@pytest.mark.feature("C11")
@fuzz
@given(spoilt(EVENTS) | st.lists(leaves, max_size=3), st.sampled_from([b"", b" ", b"\xff"]))
def test_signed_events_of_sendgrid(events: Any, tail: bytes) -> None:
    fake = FakeSendGrid(lambda: NOW)
    held = Settings({"api_key": "k", "webhook_public_key": fake.public_key, "groups": {"promotional": 10}})
    headers, body = fake.signed(events)
    try:
        sound(sendgrid.hear(held, Call("POST", headers, (), body, NOW)))
    except UnknownEvent as surprise:
        sound(list(surprise.heard))
    except BadCall:
        pass
    with pytest.raises(BadSignature):
        sendgrid.hear(held, Call("POST", headers, (), body + (tail or b"\n"), NOW))


fields = st.dictionaries(
    st.sampled_from(["type", "fired_at", "data[email]", "data[new_email]", "data[old_email]", "data[reason]", "data[action]", "data[campaign_id]", "data[list_id]"]) | texts,
    texts | st.sampled_from(["unsubscribe", "subscribe", "cleaned", "upemail", "profile", "campaign", "abuse", "2026-11-22 10:00:00", "ada@example.com"]), max_size=7,
)  # fmt: skip


@pytest.mark.feature("C11")
@fuzz
@given(fields, cut, st.booleans())
def test_proven_forms_of_mailchimp(form: dict[str, str], how: tuple[float, bytes, int], spoil: bool) -> None:
    body = "&".join(
        f"{quote_plus(name, errors='surrogatepass')}={quote_plus(value, errors='surrogatepass')}" for name, value in form.items()
    ).encode()
    body = broken(body, how) if spoil else body
    held = Settings({"api_key": "k-us1", "list_id": "1", "webhook_secret": "s", "category": "promotional"})
    moment = str(NOW // 1_000_000)
    signature = hmac.new(b"s", moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    for call in (
        Call("POST", (), (("secret", "s"),), body, NOW),
        Call("POST", (("X-Mailchimp-Signature", f"t={moment},v1={signature}"),), (), body, NOW),
    ):
        sound(only((BadCall, UnknownEvent), lambda call=call: mailchimp.hear(held, call)) or [])


# --- words, times, places ----------------------------------------------------------------------------------------------------


@pytest.mark.feature("B1")
@fuzz
@given(
    texts
    | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})", fullmatch=True)
)
def test_times(text: str) -> None:
    at = only(ValueError, lambda: parse_time(text))
    assert at is None or parse_time(format_time(at)) == at
    loose = latest_time(text)
    assert loose is None or (format_time(loose) and (at is None or loose == at))
    only(ValueError, lambda: parse_duration(text))


urls = texts | st.builds(
    "{}://{}{}{}".format, st.sampled_from(["https", "http", "HTTPS", "ftp", ""]),
    st.sampled_from(["shop.example", "[::1]", "[::ffff:127.0.0.1]", "127.1", "0x7f000001", "2130706433", "localhost", "localhost.", "a..b", "ⓛocalhost", "١٢٧.٠.٠.١", "[fe80::1%25lo]", "user@h", "h\\@x", ""]) | texts,
    st.sampled_from(["", ":443", ":0", ":99999", ":x", ":8443"]), st.sampled_from(["", "/", "/a?b=c", "?q", "#f", "/\u00e9", "/%00"]),
)  # fmt: skip


@pytest.mark.feature("D6")
@fuzz
@given(urls)
def test_places_to_tell(url: str) -> None:
    found = only(BadDestination, lambda: parse_destination(url))
    if found is not None:
        assert parse_destination(found.url) == found, "read twice it is another place"
        refused_outright(found, ())
        if found.address is not None:
            refusal(str(found.address), found.port, found.scheme, ())


@fuzz
@given(texts, st.sampled_from([None, "DE", "US", "ZZ", ""]))
def test_addresses(text: str, region: str | None) -> None:
    only(UnknownChannel, lambda: channel_named(text))
    only(InvalidAddress, lambda: parse_contact_id(text))
    for channel in CHANNELS:
        found = only(InvalidAddress, lambda channel=channel: parse_address(channel, text, default_region=region))
        if found is not None:
            assert parse_address(channel, found.value, default_region=region).value == found.value
            mask(found)
            aliases(found)
            found.value.encode()


# --- what we signed, and others bring back -----------------------------------------------------------------------------------

RING = Ring("k1", {"k1": b"t" * 32, "k0": b"u" * 32})
TOKENS = [sign_link(RING, Link(b"c" * 16, b"a" * 16, Scope("*", "email", "promotional"), "spring", "m-1")), sign_permit(RING, UUID(int=7), "email", "x", expires_at=NOW + 10**9),
          sign_link(RING, Link(b"c" * 16, None, Scope("*", "*", "*")), fresh_until=NOW + 10**9)]  # fmt: skip


@pytest.mark.feature("E1")
@fuzz
@given(texts | st.builds(lambda token, how: broken(token.encode(), how).decode("latin-1"), st.sampled_from(TOKENS), cut), binary)
def test_tokens(text: str, packed: bytes) -> None:
    found = only(BadToken, lambda: read(RING, text, kinds={"link", "fresh_link", "permit"}, now=NOW))
    assert found is None or text in TOKENS, "a token that we did not sign was believed"
    if found is not None:
        only(BadToken, lambda: read_link(found))
        only(BadToken, lambda: read_permit(found))
    only(BadToken, lambda: unpack(packed, 3))


LEAF = {
    "v": 1, "id": "019aa9c8-5e3b-7d40-8a51-2f6b1c9d0e42", "t": "choice", "at": NOW, "ts": NOW, "sub": "ab" * 16, "ver": 2, "prev": "cd" * 32, "act": "choice",
    "src": "api", "by": "c:x", "via": "c:x", "effect": "applied", "d": "", "scope": ["*", "email", "*"], "own": 1, "x": {"new": "opted_out"},
}  # fmt: skip


@pytest.mark.feature("I1")
@fuzz
@given(spoilt(LEAF), cut)
def test_leaves(fields_: Any, how: tuple[float, bytes, int]) -> None:
    if isinstance(fields_, dict):
        made = only(leaf_rules.LeafRefused, lambda: leaf_rules.build(fields_))
        assert made is None or leaf_rules.build(leaf_rules.parse(made)) == made
    for raw in (written(fields_), broken(leaf_rules.build(LEAF), how)):
        found = only(leaf_rules.LeafRefused, lambda raw=raw: leaf_rules.parse(raw))
        assert found is None or leaf_rules.build(found) == raw


PRIVATE = Ed25519PrivateKey.from_private_bytes(b"p" * 32)
KEY = key_of("sayso.example/log", PRIVATE)
NOTE = sign(checkpoint_text(Checkpoint("sayso.example/log", 1, leaf_hash(b"entry"))), "sayso.example/log", PRIVATE)
PROOF = proof_text(Proof(0, (), NOTE))


@pytest.mark.feature("I1")
@fuzz
@given(cut, binary, texts)
def test_notes_and_proofs(how: tuple[float, bytes, int], raw: bytes, text: str) -> None:
    assert verify_proof(PROOF.encode(), b"entry", KEY).size == 1
    for note in (broken(NOTE.encode(), how), raw, b"\n\n" + raw):
        only(NoteMalformed, lambda note=note: parse_note(note))
        opened = only((NoteMalformed, NoteRefused), lambda note=note: open_note(note, [KEY]))
        assert opened is None or opened[0].text in NOTE, "another text was believed"
        only((NoteMalformed, NoteRefused), lambda note=note: open_checkpoint(note, KEY))
    only(NoteMalformed, lambda: parse_checkpoint(text))
    only(NoteMalformed, lambda: parse_key(text))
    only(NoteMalformed, lambda: parse_key(broken(key_text(KEY).encode(), how).decode("utf-8", "replace")))
    for proof in (broken(PROOF.encode(), how), raw, b"c2sp.org/tlog-proof@v1\n" + raw):
        only(ProofMalformed, lambda proof=proof: parse_proof(proof))
        only((ProofMalformed, NoteMalformed, NoteRefused, ProofRefused), lambda proof=proof: verify_proof(proof, b"entry", KEY))
    with pytest.raises(ProofRefused):
        verify_proof(PROOF.encode(), b"another entry", KEY)


@pytest.mark.feature("I1")
@fuzz
@given(st.from_regex(r"tile/([0-9]{1,2}|entries)/(x[0-9]{3}/){0,7}[0-9]{3}(\.p/[0-9]{1,3})?", fullmatch=True) | texts, binary)
def test_tiles(text: str, raw: bytes) -> None:
    found = only(PathRefused, lambda: parse_path(text))
    assert found is None or path_text(found) == text
    entries = only(BundleRefused, lambda: unbundle(raw))
    assert entries is None or bundle(entries) == raw


def test_the_longest_texts_are_read_at_once() -> None:
    for text in (
        "1" * 1_000_000,
        "2026-11-22T10:00:00." + "1" * 1_000_000 + "Z",
        "=" * 1_000_000,
        "." * 1_000_000,
        "A" * 1_000_000,
        "\n" * 1_000_000,
        "@" * 500_000,
    ):
        only(ValueError, lambda text=text: parse_time(text))
        latest_time(text)
        only(ValueError, lambda text=text: parse_duration(text))
        only(BadDestination, lambda text=text: parse_destination(text))
        only(BadToken, lambda text=text: read(RING, text, kinds={"link"}, now=NOW))
        only(NoteMalformed, lambda text=text: parse_note(text.encode()))
        only(ProofMalformed, lambda text=text: parse_proof(text.encode()))
        only(leaf_rules.LeafRefused, lambda text=text: leaf_rules.parse(text.encode()))
        only(PathRefused, lambda text=text: parse_path(text))
        only(InvalidAddress, lambda text=text: parse_address("email", text, default_region="DE"))
        only(InvalidAddress, lambda text=text: parse_address("sms", text, default_region="DE"))
        only(
            HEARD,
            lambda text=text: mailchimp.hear(Settings({"webhook_secret": "s"}), Call("POST", (), (("secret", "s"),), text.encode(), NOW)),
        )
        base64.b64encode(text.encode())
