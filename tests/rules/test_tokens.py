"""Tokens prove what we signed and nothing else, for ever where the law wants that, and show nobody what they are about."""

import base64
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.rules.tokens import (
    BadToken,
    Kind,
    Link,
    Ring,
    access_token,
    client_secret,
    fingerprint,
    pack,
    read,
    read_link,
    read_permit,
    sign,
    sign_link,
    sign_permit,
    unpack,
    webhook_secret,
)
from sayso.rules.words import Scope

NOW = 1_795_341_600_000_000
RING = Ring("k1", {"k1": b"1" * 32})
ROTATED = Ring("k2", {"k1": b"1" * 32, "k2": b"2" * 32})
KINDS: tuple[Kind, ...] = ("link", "fresh_link", "permit", "receipt", "form")
ADA = Link(contact=b"c" * 16, address=b"a" * 16, scope=Scope("outlet", "email", "promotional"), campaign="spring-26", message="m-77")

payloads = st.binary(max_size=200)


@given(st.sampled_from(KINDS), payloads, st.none() | st.integers(NOW + 1_000_000, NOW * 2))
def test_what_was_signed_is_read_back(kind: Kind, payload: bytes, expires_at: int | None) -> None:
    text = sign(RING, kind, payload, expires_at=expires_at)
    token = read(RING, text, kinds=KINDS, now=NOW)
    assert (token.kind, token.payload) == (kind, payload)
    assert token.expires_at == (None if expires_at is None else expires_at // 1_000_000 * 1_000_000)
    assert text == sign(RING, kind, payload, expires_at=expires_at)
    assert text.replace(".", "").replace("-", "").replace("_", "").isalnum()


@given(payloads, st.data())
def test_any_changed_letter_is_noticed(payload: bytes, data: st.DataObject) -> None:
    text = sign(ROTATED, "link", payload, expires_at=None)
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("abcXYZ019-_.=+/ é\n\x00"))
    changed = text[:place] + letter + text[place + 1 :]
    if changed != text:
        with pytest.raises(BadToken):
            read(ROTATED, changed, kinds=KINDS, now=NOW)


@given(st.text(max_size=100) | st.from_regex(r"[12]\.k1\.[A-Za-z0-9_-]{0,60}\.[A-Za-z0-9_-]{0,30}", fullmatch=True))
def test_no_text_breaks_the_reader(text: str) -> None:
    with pytest.raises(BadToken):
        read(RING, text, kinds=KINDS, now=NOW)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "malformed"),
        ("3." + sign_link(RING, ADA)[2:], "malformed"),
        ("2." + sign_link(RING, ADA)[2:], "forged"),
        (sign_link(RING, ADA) + "=", "malformed"),
        (sign_link(RING, ADA) + ".x", "malformed"),
        ("1.k1." + "A" * 5_000 + "." + "A" * 22, "malformed"),
        ("1.k1.AAAA." + "A" * 22, "malformed"),
        (sign_link(ROTATED, ADA), "unknown_key"),
        (sign_link(Ring("k1", {"k1": b"x" * 32}), ADA), "forged"),
        (sign(RING, "receipt", b"", expires_at=None), "wrong_kind"),
        (sign_link(RING, ADA, fresh_until=NOW), "expired"),
    ],
)
def test_each_refusal_has_its_reason(text: str, reason: str) -> None:
    with pytest.raises(BadToken) as refused:
        read(RING, text, kinds=("link", "fresh_link"), now=NOW)
    assert refused.value.reason == reason
    assert (refused.value.token is not None) == (reason == "expired")


def test_the_last_letter_has_one_spelling() -> None:
    text = sign(RING, "link", b"", expires_at=None)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = text[:-1] + alphabet[alphabet.index(text[-1]) | 0b1111 if alphabet.index(text[-1]) & 0b1111 != 0b1111 else 0]
    assert twin != text
    with pytest.raises(BadToken):
        read(RING, twin, kinds=KINDS, now=NOW)


def test_links_of_all_key_generations_work_for_ever() -> None:
    text = sign_link(RING, ADA)
    assert read_link(read(ROTATED, text, kinds=("link",), now=NOW * 30)) == ADA
    assert sign_link(ROTATED, ADA) != text


def test_a_link_shows_nothing_of_what_it_is_about() -> None:
    text = sign_link(RING, ADA)
    body = base64.urlsafe_b64decode(text.split(".")[2] + "==")
    for secret in (b"promotional", b"outlet", b"spring", b"m-77", b"cccc", b"aaaa"):
        assert secret not in body
    other = sign_link(RING, Link(None, b"a" * 16, Scope("*", "email", "*")))
    assert read_link(read(RING, other, kinds=("link",), now=NOW)) == Link(None, b"a" * 16, Scope("*", "email", "*"))


def test_only_a_fresh_link_is_fresh_and_it_ends() -> None:
    fresh = sign_link(RING, ADA, fresh_until=NOW + 1_000_000)
    assert read(RING, fresh, kinds=("fresh_link",), now=NOW + 999_999).kind == "fresh_link"
    with pytest.raises(BadToken, match="expired"):
        read(RING, fresh, kinds=("fresh_link",), now=NOW + 1_000_000)
    with pytest.raises(BadToken, match="wrong_kind"):
        read(RING, sign_link(RING, ADA), kinds=("fresh_link",), now=NOW)


def test_a_permit_names_its_check_and_covers_only_what_was_asked() -> None:
    check = UUID("01932f3e-0000-7000-8000-0000000000aa")
    text = sign_permit(RING, check, "email", "promotional", expires_at=NOW + 60_000_000)
    permit = read_permit(read(RING, text, kinds=("permit",), now=NOW))
    assert (permit.check, permit.expires_at) == (check, NOW + 60_000_000)
    assert permit.covers("email", "promotional")
    assert not permit.covers("email", "events")
    assert not permit.covers("sms", "promotional")
    with pytest.raises(BadToken, match="expired") as over:
        read(RING, text, kinds=("permit",), now=NOW + 60_000_000)
    assert over.value.token is not None
    assert read_permit(over.value.token).check == check


def test_a_permit_can_be_read_by_eye_but_not_changed() -> None:
    check = UUID("01932f3e-0000-7000-8000-0000000000aa")
    text = sign_permit(RING, check, "email", "promotional", expires_at=NOW + 60_000_000)
    version, kid, payload, mac = text.split(".")
    plain = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    assert version == "2"
    assert check.bytes in plain, "it names a check and nobody, so it is signed and not hidden"
    for n in range(len(plain)):
        other = base64.urlsafe_b64encode(plain[:n] + bytes([plain[n] ^ 1]) + plain[n + 1 :]).rstrip(b"=").decode()
        with pytest.raises(BadToken, match="forged"):
            read(RING, f"{version}.{kid}.{other}.{mac}", kinds=KINDS, now=NOW)
    with pytest.raises(BadToken, match="forged"):
        read(RING, f"1.{kid}.{payload}.{mac}", kinds=KINDS, now=NOW)


def test_one_kind_is_never_read_as_another() -> None:
    with pytest.raises(BadToken, match="wrong_kind"):
        read_permit(read(RING, sign_link(RING, ADA), kinds=KINDS, now=NOW))
    with pytest.raises(BadToken, match="wrong_kind"):
        read_link(read(RING, sign(RING, "form", b"", expires_at=None), kinds=KINDS, now=NOW))


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_fields_are_unpacked_as_packed(fields: list[bytes]) -> None:
    packed = pack(*fields)
    assert unpack(packed, len(fields)) == tuple(fields)
    for broken in (packed + b"\x00", packed[:-1]):
        if broken != packed:
            with pytest.raises(BadToken):
                unpack(broken, len(fields))


def test_too_much_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        pack(b"x" * 65_536)
    with pytest.raises(ValueError, match="at most"):
        sign(RING, "form", b"x" * 5_000, expires_at=None)


@pytest.mark.parametrize(("current", "secrets"), [("k1", {}), ("k1", {"k1": b"short"}), ("K.1", {"K.1": b"1" * 32})])
def test_a_weak_ring_is_refused(current: str, secrets: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match="key"):
        Ring(current, secrets)


def test_secrets_stay_out_of_the_repr() -> None:
    assert "111" not in repr(RING)


def test_opaque_secrets_have_their_prefix_and_all_their_bits() -> None:
    random = bytes(range(32))
    assert access_token(random).startswith("sst_")
    assert client_secret(random).startswith("sss_")
    assert base64.b64decode(webhook_secret(random).removeprefix("whsec_")) == random
    assert access_token(random) != access_token(bytes(32))
    assert len(fingerprint(access_token(random))) == 32
    assert len(fingerprint("\ud800")) == 32
    for make in (access_token, client_secret, webhook_secret):
        with pytest.raises(ValueError, match="32 random bytes"):
            make(bytes(16))
