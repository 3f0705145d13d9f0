"""One address, one key: spellings that are the same place meet; look-alikes may deny, never allow."""

import hashlib
import hmac
import re
import unicodedata

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sayso.rules import subjects
from sayso.rules.subjects import (
    ADDRESS_KIND,
    Address,
    InvalidAddress,
    aliases,
    domain_key,
    mask,
    parse_address,
    parse_contact_id,
    subject_id,
)

PEPPER = b"p" * 32


def email(raw: str) -> Address:
    return parse_address("email", raw, default_region=None)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada@example.com", "Ada@Example.COM"),
        ("ada@example.com", "  ada@example.com "),
        ("ada@münchen.example", "ada@xn--mnchen-3ya.example"),
        ("ada@münchen.example", "ADA@MÜNCHEN.EXAMPLE"),
        ("ada@mu\u0308nchen.example", "ada@m\u00fcnchen.example"),
        ("ren\u00e9@example.com", "rene\u0301@example.com"),
        ("ÉVA@example.com", "éva@example.com"),
        ('"ada"@example.com', "ada@example.com"),
        ("ada@example。com", "ada@example.com"),
    ],
)
def test_spellings_of_one_mailbox_share_a_key(one: str, other: str) -> None:
    assert email(one).value == email(other).value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada@example.com", "ada+news@example.com"),
        ("a.da@gmail.com", "ada@gmail.com"),
        ("ada@googlemail.com", "ada@gmail.com"),
        ("straße@example.com", "strasse@example.com"),
        ("ada@straße.example", "ada@strasse.example"),
        ("ﬁona@example.com", "fiona@example.com"),
    ],
)
def test_look_alikes_keep_their_own_key_but_meet_for_denial(one: str, other: str) -> None:
    assert email(one).value != email(other).value
    assert {a.value for a in aliases(email(one))} & {a.value for a in aliases(email(other))}


def test_aliases_exactly() -> None:
    def values(raw: str) -> list[str]:
        return [alias.value for alias in aliases(email(raw))]

    assert values("Ada@example.com") == ["ada@example.com"]
    assert values("ada+a+b@example.com") == ["ada+a+b@example.com", "ada@example.com"]
    assert values("A.Da+x@googlemail.com") == ["a.da+x@googlemail.com", "a.da@googlemail.com", "ada@gmail.com"]
    assert values("+tag@example.com") == ["+tag@example.com"]
    assert values("a.da@example.com") == ["a.da@example.com"]
    assert values("ß+x@straße.example") == ["ß+x@xn--strae-oqa.example", "ß@xn--strae-oqa.example", "ss@strasse.example"]


def test_a_domain_that_cannot_be_decoded_stays_as_it_is() -> None:
    odd = Address("email", "ada@xn--0.example", "ada@xn--0.example")
    assert aliases(odd) == (odd,)
    assert mask(odd) == "a•••@xn--0.example"


def test_only_mail_has_aliases() -> None:
    phone = parse_address("sms", "+12065550100", default_region=None)
    assert aliases(phone) == (phone,)


@pytest.mark.parametrize(
    "raw",
    [
        "", " ", "ada", "ada@", "@example.com", "ada@localhost", "ada@example", "Ada <ada@example.com>", "a b@example.com", "ada@exa mple.com",
        '"a b"@example.com', '"a@b"@example.com', "ada@[127.0.0.1]", "ada@[IPv6:::1]", "ada@x.local", "ada@x.onion", "ada@xn--0.example",
        "ada@example.com\r\nBcc: all@example.com", "ada\x00@example.com", "ada@example.com\n", "\u202eada@example.com", "ada\ud800@example.com",
        "a" * 65 + "@example.com", "a" * 250 + "@example.com", "ada@example..com", ".ada@example.com", "ada\u2028@example.com",
        "mailto:ada @example.com", "ada@@example.com", "ada＠example.com",
    ],
)  # fmt: skip
def test_what_is_no_mail_address_is_refused(raw: str) -> None:
    with pytest.raises(InvalidAddress) as refused:
        email(raw)
    assert refused.value.detail == str(refused.value) != ""


def test_reserved_domains_for_documentation_and_tests_are_fine() -> None:
    for raw in ("ada@example.com", "ada@shop.example", "ada@crm.test"):
        assert email(raw).value == raw


local_parts = st.text(st.characters(codec="utf-8", exclude_characters='@"<>(),:;\\[] '), min_size=1, max_size=20)


@given(local_parts, st.sampled_from(["example.com", "GMAIL.com", "Straße.example", "εχαμπλε.example"]))
@example("İ", "example.com")
@example("ΟΔΟΣ", "example.com")
@example("ẞ+.", "gmail.com")
def test_a_matching_form_matches_itself_in_any_case(local: str, domain: str) -> None:
    raw = f"{local}@{domain}"
    try:
        address = email(raw)
    except InvalidAddress:
        assume(False)
        return
    assert email(address.value).value == address.value
    assert address.given == raw.strip()
    assert unicodedata.is_normalized("NFC", address.value)
    found = aliases(address)
    assert found[0] == address
    assert 1 <= len(found) <= 3
    assert len({alias.value for alias in found}) == len(found)
    assert aliases(Address("email", address.value, address.value))[1:] == found[1:]


@given(st.sampled_from(sorted(ADDRESS_KIND)), st.text(max_size=60), st.sampled_from([None, "US", "de", "ZZ", "X"]))
def test_no_text_breaks_the_reader(channel: str, raw: str, region: str | None) -> None:
    try:
        address = parse_address(channel, raw, default_region=region)
    except InvalidAddress as refused:
        assert refused.detail
    else:
        assert parse_address(channel, address.value, default_region=None).value == address.value
        assert len(subject_id(PEPPER, address.kind, address.value)) == 32
        assert mask(address)


@pytest.mark.parametrize(
    ("raw", "region", "e164"),
    [
        ("+1 (206) 555-0100", None, "+12065550100"),
        ("(206) 555 0100", "US", "+12065550100"),
        ("206.555.0100", "us", "+12065550100"),
        ("tel:+1-206-555-0100", None, "+12065550100"),
        ("0039 06 698 12345", "DE", "+390669812345"),
        ("06 698 12345", "IT", "+390669812345"),
        ("+52 1 55 1234 5678", None, "+525512345678"),
        ("+15550100", None, "+15550100"),
        ("\uff0b1 206 555 0100", None, "+12065550100"),
    ],
)
def test_phone_numbers_become_e164(raw: str, region: str | None, e164: str) -> None:
    for channel in ("sms", "voice"):
        assert parse_address(channel, raw, default_region=region) == Address("phone", e164, raw)


@pytest.mark.parametrize(
    ("raw", "region", "teaches"),
    [
        ("(206) 555 0100", None, r"\+ and the country code"),
        ("(206) 555 0100", "ZZ", r"\+ and the country code"),
        ("+999 123456", None, r"\+ and the country code"),
        ("+1 206 555 0100 ext. 12", None, "extension"),
        ("+1 206", None, "too short"),
        ("+1 206 555 0100 0100 0100", None, "not a phone number"),
        ("STOP", "US", "not a phone number"),
        ("ada@example.com", "US", "not a phone number"),
    ],
)
def test_what_is_no_phone_number_is_refused_and_teaches(raw: str, region: str | None, teaches: str) -> None:
    with pytest.raises(InvalidAddress, match=teaches):
        parse_address("sms", raw, default_region=region)


def test_tokens_are_exact_and_postal_addresses_are_folded() -> None:
    assert parse_address("push", " AbC:1 ", default_region=None) == Address("push_token", "AbC:1", "AbC:1")
    street = parse_address("post", "Ada Byron\r\n 12  Main\tStreet", default_region=None)
    assert street == Address("postal", "ada byron 12 main street", "Ada Byron 12 Main Street")


@pytest.mark.parametrize("channel", ["push", "web_push", "onsite", "app", "social", "ads", "post"])
def test_length_and_controls_are_limited_everywhere(channel: str) -> None:
    for raw in ("", "x" * 2_049, "a\x00b", "a\x1bb", "a\udc80b"):
        with pytest.raises(InvalidAddress):
            parse_address(channel, raw, default_region=None)


@pytest.mark.parametrize("channel", ["*", "fax", ""])
def test_a_channel_without_addresses_is_named(channel: str) -> None:
    with pytest.raises(InvalidAddress, match="use one of email"):
        parse_address(channel, "x", default_region=None)


def test_contact_ids_are_exact() -> None:
    assert parse_contact_id("C-1001/é x") == "C-1001/é x"
    assert parse_contact_id("e\u0301") == "\u00e9"
    assert parse_contact_id("x" * 255) == "x" * 255
    for raw in ("", "x" * 256, " c-1", "c-1 ", "c\n1", "c\x001", "c\u20281", "\ud800"):
        with pytest.raises(InvalidAddress):
            parse_contact_id(raw)


def test_the_subject_id_is_the_documented_hmac() -> None:
    value = "ada@example.com"
    assert subject_id(PEPPER, "email", value) == hmac.new(PEPPER, b"email\x00" + value.encode(), hashlib.sha256).digest()
    assert subject_id(PEPPER, "email", value) != subject_id(PEPPER, "contact", value)
    assert subject_id(PEPPER, "email", value) != subject_id(b"q" * 32, "email", value)
    with pytest.raises(ValueError, match="unknown kind"):
        subject_id(PEPPER, "e-mail", value)


def test_domains_are_found_by_key() -> None:
    assert domain_key(PEPPER, email("ada@MÜNCHEN.example")) == domain_key(PEPPER, email("bob@xn--mnchen-3ya.example"))
    assert domain_key(PEPPER, email("ada@example.com")) != domain_key(PEPPER, email("ada@example.net"))
    assert domain_key(PEPPER, parse_address("push", "ada@example.com", default_region=None)) is None


@pytest.mark.parametrize(
    ("channel", "raw", "shown"),
    [
        ("email", "ada@example.com", "a•••@example.com"),
        ("email", "a@example.com", "•••@example.com"),
        ("email", "ada@münchen.example", "a•••@münchen.example"),
        ("sms", "+1 206 555 0167", "+1 •••• 67"),
        ("push", "0123456789abcdef", "••••cdef"),
        ("push", "short", "••••"),
        ("post", "Ada Byron, 12 Main Street", "••••"),
    ],
)
def test_masks_show_little(channel: str, raw: str, shown: str) -> None:
    assert mask(parse_address(channel, raw, default_region=None)) == shown


@given(st.from_regex(subjects._PLAIN, fullmatch=True))
def test_the_short_way_for_everyday_addresses_says_what_the_library_says(raw: str) -> None:
    short = _parsed(raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subjects, "_PLAIN", re.compile(r"(?!)(?P<local>)(?P<top>)"))
        assert _parsed(raw) == short


def _parsed(raw: str) -> str:
    try:
        return subjects.parse_address("email", raw, default_region=None).value
    except subjects.InvalidAddress:
        return "refused"
