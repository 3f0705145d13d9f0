"""The address rules against other people's vectors (read from ../shared, never copied here)."""

import json
import re
from typing import Any

import phonenumbers
import pytest

from sayso.rules.subjects import InvalidAddress, parse_address
from shared_files import shared


def vectors(relative: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(shared(relative).read_text(encoding="utf-8"))
    assert found
    return found


def email(raw: str) -> str | None:
    try:
        return parse_address("email", raw, default_region=None).value
    except InvalidAddress:
        return None


def test_valid_addresses_get_the_ascii_domain_and_the_lower_case_local_part() -> None:
    for vector in vectors("corpora/email-address-vectors/valid_normalised.json"):
        expect = vector["expect"]
        # Legal grammar that no contact form should accept: a display name, and quotes that are needed.
        beyond = "<" in vector["input"] or expect["local_part"].startswith('"')
        assert email(vector["input"]) == (None if beyond else f"{expect['local_part'].lower()}@{expect['ascii_domain']}"), vector


def test_invalid_addresses_are_refused() -> None:
    for vector in vectors("corpora/email-address-vectors/invalid.json"):
        if vector["group"].endswith("smtputf8_off"):
            continue  # we accept internationalised local parts
        plain = re.fullmatch(r'"([\w.\\]+)"(@.+)', vector["input"])
        if plain is None:
            assert email(vector["input"]) is None, vector
        elif ".." not in plain[1]:
            # Needless quotes: refused upstream by option, the plain address to us.
            assert email(vector["input"]) == plain[1].replace("\\", "").lower() + plain[2], vector


def test_isemail_errors_are_refused_and_ordinary_addresses_accepted() -> None:
    for vector in vectors("corpora/email-address-vectors/isemail.json"):
        raw = vector["address"]
        if vector["syntax_error"]:
            assert email(raw) is None, vector
        local, _, domain = raw.rpartition("@")
        ordinary = not local.startswith('"') and not domain.startswith("[") and "." in domain and not domain[-1:].isdigit()
        if vector["deliverable_over_smtp"] and ordinary and domain != "c--n.com":
            # c--n.com: hyphens in the third and fourth place are kept for IDNA (RFC 5891 section 4.2.3.1).
            assert email(raw) == raw.lower(), vector


def test_every_format_of_a_phone_number_is_one_number() -> None:
    for vector in vectors("corpora/phone-numbers/examples.json"):
        number = phonenumbers.parse(vector["e164"])
        if not phonenumbers.is_possible_number(number):
            continue
        wanted = vector["e164"]
        assert parse_address("sms", wanted, default_region=None).value == wanted
        assert parse_address("sms", vector["international_format"], default_region=None).value == wanted, vector
        if vector.get("national_format_parses_back"):
            assert parse_address("voice", vector["national_format"], default_region=vector["region"]).value == wanted, vector


def test_numbers_of_no_length_are_refused() -> None:
    for vector in vectors("corpora/phone-numbers/examples.json")[:50]:
        with pytest.raises(InvalidAddress):
            parse_address("sms", vector["e164"] + "0" * 9, default_region=None)
