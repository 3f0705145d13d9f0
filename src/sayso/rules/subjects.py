"""Subjects: whom state is kept for, under a keyed hash of one normalised value.

Matching. An address has ONE key, its ``value``: what two spellings must share to be the same place for granting and refusing alike.

======== =====================================================================================================
email    syntax by email-validator (no DNS); local part NFC and lower case; domain in lower-case A-labels, so that
         ``Ada@MÜNCHEN.example`` and ``ada@xn--mnchen-3ya.example`` are one. Needless quotes are removed. Refused:
         display names, quoted local parts that need their quotes, IP literals, domains without a dot, special-use
         domains (but ``.test`` and ``example.*`` are fine).
phone    E.164 by phonenumbers, any possible number (Italian zeros and the like kept); no extensions.
postal   NFC, white space collapsed to one space, case folded. Line breaks count as white space.
others   tokens and platform ids, exactly as written between surrounding white space.
======== =====================================================================================================

``aliases`` gives the look-alikes that may only ever *deny*: without ``+tag``, without the dots Gmail ignores, with
compatibility characters folded. Unicode homographs of other scripts are not matched.
Everything refused here raises InvalidAddress; a check answers ``invalid_address`` for it, so what cannot be kept cannot be sent to.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

import idna
import phonenumbers
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from sayso.rules.keyed_hash import KeyedHash
from sayso.rules.values import Value

ADDRESS_KIND: Mapping[str, str] = MappingProxyType(
    {
        "email": "email",
        "sms": "phone",
        "voice": "phone",
        "push": "push_token",
        "web_push": "web_push_token",
        "onsite": "onsite_id",
        "app": "app_id",
        "post": "postal",
        "social": "social_id",
        "ads": "ads_id",
    }
)
"""Kind of address per channel; channels that share a kind share their subjects (one phone number serves sms and voice)."""

ADDRESS_KINDS = frozenset(ADDRESS_KIND.values())
CONTACT = "contact"
CONNECTION = "connection"
HUB = "hub"
KINDS = ADDRESS_KINDS | {CONTACT, CONNECTION, HUB}

EMAIL_LENGTH = 254
ADDRESS_LENGTH = 2_048
CONTACT_ID_LENGTH = 255

LOCAL_LENGTH = 64
_PLAIN = re.compile(
    r"(?P<local>[A-Za-z0-9_-]+(?:[.+][A-Za-z0-9_-]+)*)@(?:(?![^.@]*--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+(?P<top>[A-Za-z]{2,63})"
)
"""Everyday addresses: ASCII, no quotes, no A-labels."""
_SPECIAL = frozenset(name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES)

_GMAIL = frozenset({"gmail.com", "googlemail.com"})
_NEVER = frozenset({"Cc", "Cs", "Zl", "Zp"})  # controls, lone surrogates, line and paragraph separators
_BULLETS = "•••"


class InvalidAddress(ValueError):
    """What was given is no address of that channel, or no contact id; ``detail`` tells the person how to mend it."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Address(Value, frozen=True):
    """One reachable endpoint: ``value`` is the matching form the subject id is made of, ``given`` what was written (trimmed)."""

    kind: str
    value: str
    given: str


def parse_address(channel: str, raw: str, *, default_region: str | None) -> Address:
    """The address meant by ``raw`` on ``channel``; raises InvalidAddress with a text that tells how to mend it.

    ``default_region`` (ISO 3166 alpha-2) reads phone numbers written without ``+`` and country code; None refuses those.
    Idempotent: parsing a value gives the same value.
    """
    kind = ADDRESS_KIND.get(channel)
    if kind is None:
        raise InvalidAddress(f"no addresses on channel {channel!r}: use one of {', '.join(ADDRESS_KIND)}")
    # A postal address is written on several lines; everywhere else a line break is an attack or an accident.
    text = " ".join(raw.split()) if kind == "postal" else raw
    _refuse_controls(text, "an address")
    given = text.strip()
    if not given:
        raise InvalidAddress("the address is empty")
    if len(given) > ADDRESS_LENGTH:
        raise InvalidAddress(f"an address has at most {ADDRESS_LENGTH:,} characters")
    if kind == "email":
        return Address(kind, _email(given), given)
    if kind == "phone":
        return Address(kind, _phone(given, default_region), given)
    if kind == "postal":
        return Address(kind, _settled(given, lambda letters: unicodedata.normalize("NFC", letters.casefold())), given)
    return Address(kind, given, given)


def address_or_fault(channel: str, raw: str, region: str | None) -> tuple[Address | None, str]:
    """The address, or the code that says why nothing can be sent to it: ``channel_mismatch`` where another channel would take it."""
    try:
        return parse_address(channel, raw, default_region=region), ""
    except InvalidAddress:
        for other in ("email", "sms"):
            if ADDRESS_KIND[other] == ADDRESS_KIND[channel]:
                continue
            try:
                parse_address(other, raw, default_region=region)
            except InvalidAddress:
                continue
            return None, "channel_mismatch"
        return None, "invalid_address"


def parse_contact_id(raw: str) -> str:
    """The company's own id of a contact in NFC, otherwise exactly as written (upper and lower case differ).

    Raises InvalidAddress unless it has 1 to 255 characters, no control characters and no white space around it.
    """
    if raw.isascii() and raw.isprintable() and 0 < len(raw) <= CONTACT_ID_LENGTH and raw[0] != " " != raw[-1]:
        return raw  # what the rest says of it too
    _refuse_controls(raw, "a contact id")
    contact_id = unicodedata.normalize("NFC", raw)
    if not 1 <= len(contact_id) <= CONTACT_ID_LENGTH:
        raise InvalidAddress(f"a contact id has 1 to {CONTACT_ID_LENGTH} characters")
    if contact_id != contact_id.strip():
        raise InvalidAddress("a contact id must not begin or end with white space")
    return contact_id


def aliases(address: Address) -> tuple[Address, ...]:
    """The address and its look-alikes, canonical first, at most three; only e-mail has any.

    Second: the local part without ``+tag``. Third: that, case- and compatibility-folded (NFKC) on both sides, and at Gmail
    without dots and with ``googlemail.com`` as ``gmail.com``. Restrictions found at an alias count against the address;
    consent found there never counts for it. For the reverse direction a restriction is also kept at the aliases of where it was spoken.
    """
    if address.kind != "email":
        return (address,)
    local, _, domain = address.value.rpartition("@")
    if "+" not in local and address.value.isascii() and domain not in _GMAIL and "xn--" not in domain:
        return (address,)
    bare = local.partition("+")[0] or local
    values = dict.fromkeys((address.value, f"{bare}@{domain}", _skeleton(bare, domain)))
    return tuple(address if value == address.value else Address("email", value, value) for value in values)


def subject_id(pepper: bytes, kind: str, value: str) -> bytes:
    """The 32-byte subject id: HMAC-SHA-256(pepper, kind ∥ 0x00 ∥ value). Its first byte is the shard.

    Raises ValueError for an unknown kind: a typing error must not open a second name space of people.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of subject {kind!r}")
    return _keyed(pepper, kind, value)


def domain_key(pepper: bytes, address: Address) -> bytes | None:
    """The 32-byte HMAC of an e-mail address's domain, for finding and counting by domain; None for other kinds."""
    if address.kind != "email":
        return None
    return _keyed(pepper, "domain", address.value.rpartition("@")[2])


def mask(address: Address) -> str:
    """The address as pages may show it to whoever holds a link: enough for its owner, too little for anybody else."""
    if address.kind == "email":
        local, _, domain = address.value.rpartition("@")
        # A local part of one letter would be shown whole.
        return f"{local[0] if len(local) > 1 else ''}{_BULLETS}@{_readable(domain)}"
    if address.kind == "phone":
        code = phonenumbers.parse(address.value).country_code
        return f"+{code} {_BULLETS}• {address.value[-2:]}"
    if address.kind == "postal" or len(address.value) < 12:
        return f"{_BULLETS}•"
    return f"{_BULLETS}•{address.value[-4:]}"


def _email(given: str) -> str:
    if len(given) > EMAIL_LENGTH:
        raise InvalidAddress(f"an e-mail address has at most {EMAIL_LENGTH} characters")
    if (plain := _PLAIN.fullmatch(given)) and len(plain["local"]) <= LOCAL_LENGTH and plain["top"].lower() not in _SPECIAL:
        return given.lower()  # what the library says of such an address too, thirty times as fast (a test compares them)
    try:
        # Quotes are read so that needless ones can be taken off; test_environment only adds the domain .test.
        found = validate_email(given, check_deliverability=False, allow_quoted_local=True, strict=True, test_environment=True)
    except EmailNotValidError as error:
        raise InvalidAddress(f"not an e-mail address: {error}") from None
    if found.local_part.startswith('"'):
        raise InvalidAddress("not an e-mail address: a part before the @-sign that needs quotes is not supported")
    return f"{_lower(found.local_part)}@{found.ascii_domain.lower()}"


def _phone(given: str, default_region: str | None) -> str:
    try:
        number = phonenumbers.parse(given, default_region.upper() if default_region else None)
    except phonenumbers.NumberParseException as error:
        if error.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE:
            raise InvalidAddress(
                "not a phone number we can place: write it with + and the country code, like +1 206 555 0100, or name the country"
            ) from None
        raise InvalidAddress(f"not a phone number: {error}") from None
    # Mexico dropped the 1 after +52 in 2019; lists written before still carry it, and it is the same line.
    if number.country_code == 52 and (line := re.fullmatch(r"1(\d{10})", str(number.national_number))):
        number.national_number = int(line[1])
    if number.extension:
        raise InvalidAddress("a phone number must not have an extension: leave it out")
    if not phonenumbers.is_possible_number(number):
        raise InvalidAddress("not a phone number: it is too short or too long for its country")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _skeleton(local: str, domain: str) -> str:
    if domain in _GMAIL:
        folded = _folded(local).replace(".", "")
        return f"{folded or local}@gmail.com"
    return f"{_folded(local)}@{_folded_domain(domain)}"


def _folded_domain(domain: str) -> str:
    # Deviation characters: IDNA 2003 mailers send straße.de to strasse.de, IDNA 2008 ones do not.
    if "xn--" not in domain:
        return domain
    try:
        return idna.encode(_folded(idna.decode(domain))).decode("ascii")
    except idna.IDNAError:
        return domain


def _readable(domain: str) -> str:
    try:
        return idna.decode(domain)
    except idna.IDNAError:
        return domain


def _lower(text: str) -> str:
    return _settled(text, lambda letters: unicodedata.normalize("NFC", letters.lower()))


def _folded(text: str) -> str:
    return _settled(text, lambda letters: unicodedata.normalize("NFKC", letters.casefold()))


def _settled(text: str, step: Callable[[str], str]) -> str:
    if text.isascii():
        return step(text)
    # One round can undo part of the other for a few letters, and a matching form must match itself.
    for _ in range(3):
        text = step(text)
    return text


def _refuse_controls(text: str, what: str) -> None:
    if not text.isascii():
        bad = any(unicodedata.category(letter) in _NEVER for letter in text)
    else:
        bad = not text.isprintable()
    if bad:
        raise InvalidAddress(f"{what} must not contain control characters or line breaks")


def _keyed(pepper: bytes, kind: str, value: str) -> bytes:
    return _begun(pepper, kind).digest(value.encode())


@lru_cache(maxsize=256)
def _begun(pepper: bytes, kind: str) -> KeyedHash:
    return KeyedHash(pepper, kind.encode() + b"\x00")
