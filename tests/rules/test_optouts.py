"""Rows of opt-out lists: what they say, and that none ever says less than it does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.rules.catalogue import DEFAULT
from sayso.rules.optouts import (
    NAMES,
    BadColumns,
    BadRow,
    Columns,
    OptOut,
    Reading,
    columns_of,
    guessed_header,
    is_header,
    read_row,
)
from sayso.rules.words import Scope

READING = Reading(DEFAULT)


def read(row: dict[str, str], reading: Reading = READING) -> OptOut:
    return read_row(list(row.values()), columns_of(list(row), {}), reading)


def scopes(row: dict[str, str], reading: Reading = READING) -> set[Scope]:
    return {scope for stop in read(row, reading).stops for scope in stop.scopes}


def test_every_field_is_known_by_headers_in_any_spelling() -> None:
    for field, names in NAMES.items():
        for name in names:
            found = columns_of(["email", name.replace("_", " ").title()], {})
            assert found.places.get(field) is not None or field == "address"


@pytest.mark.parametrize(
    ("row", "means"),
    [
        ({"email": "ada@example.com"}, {Scope("*", "email", "*")}),
        ({"phone": "+12065550100"}, {Scope("*", "sms", "*"), Scope("*", "voice", "*")}),
        ({"contact_id": "c-1"}, {Scope("*", "*", "*")}),
        ({"contact_id": "c-1", "email": "ada@example.com"}, {Scope("*", "email", "*")}),
        ({"contact_id": "c-1", "email": "ada@example.com", "channel": "SMS"}, {Scope("*", "sms", "*")}),
        ({"email": "ada@example.com", "channel": "ALL"}, {Scope("*", "*", "*")}),
        ({"email": "ada@example.com", "category": "Newsletter"}, {Scope("*", "email", "promotional")}),
        ({"email": "ada@example.com", "category": "events", "brand": "outlet"}, {Scope("outlet", "email", "events")}),
        ({"address": "ada@example.com"}, {Scope("*", "email", "*")}),
        ({"address": "+12065550100", "channel": "voice"}, {Scope("*", "voice", "*")}),
        ({"address": "token-1", "channel": "push"}, {Scope("*", "push", "*")}),
        ({"phone": "'+12065550100", "channel": "sms"}, {Scope("*", "sms", "*")}),
    ],
)
def test_a_row_stops_what_it_says_and_all_that_it_leaves_open(row: dict[str, str], means: set[Scope]) -> None:
    assert scopes(row) == means


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"email": "", "phone": ""}, "names nobody"),
        ({"email": "ada"}, "email: not an e-mail address"),
        ({"phone": "555"}, "phone: not a phone number"),
        ({"phone": "+12065550100", "channel": "email"}, "channel email needs an e-mail address"),
        ({"email": "ada@example.com", "channel": "fax"}, "not a channel"),
        ({"email": "ada@example.com", "category": "promotionel"}, "did you mean promotional"),
        ({"email": "ada@example.com", "category": "zzz"}, "known are"),
        ({"email": "ada@example.com", "category": "account_security"}, "cannot be refused"),
        ({"email": "ada@example.com", "brand": "b\0"}, "business_unit"),
        ({"contact_id": "a\tb"}, "contact_id"),
        ({"address": "token-1"}, "give --channel"),
        ({"email": "ada@example.com", "subscribed": "yes"}, "not opted out"),
        ({"email": "ada@example.com", "status": "Never subscribed"}, "not opted out"),
        ({"email": "ada@example.com", "opt_out": ""}, "not opted out"),
        ({"email": "ada@example.com", "opt_out": "no", "status": "who knows"}, "not opted out"),
    ],
)
def test_what_cannot_be_an_opt_out_is_refused_with_the_mend(row: dict[str, str], words: str) -> None:
    with pytest.raises(BadRow, match=words):
        read(row)


@pytest.mark.parametrize(
    "row",
    [
        {"status": "unsubscribed"}, {"status": "Cleaned"}, {"opt_out": "true"}, {"opt_out": "2026-01-01"}, {"subscribed": "0"},
        {"status": "subscribed", "opt_out": "1"}, {"subscribed": "yes", "unsubscribed": "yes"},
    ],
)  # fmt: skip
def test_one_column_that_says_out_settles_it(row: dict[str, str]) -> None:
    assert read({"email": "ada@example.com", **row}).notes == ()


@pytest.mark.parametrize("row", [{"status": "eclipse"}, {"status": ""}, {"subscribed": ""}, {"subscribed": "perhaps"}])
def test_a_status_nobody_understands_is_out_and_said_so(row: dict[str, str]) -> None:
    assert read({"email": "ada@example.com", **row}).notes == ("status not understood, taken as opted out",)


def test_country_reason_and_time_are_kept() -> None:
    found = read({"email": "ada@example.com", "country": "de", "reason": " too\0 \tmany ", "date": "2026-11-22T10:00:00Z"})
    assert (found.country, found.reason, found.at) == ("DE", "too many", 1_795_341_600_000_000)
    odd = read({"email": "ada@example.com", "country": "Narnia", "date": "soon"})
    assert (odd.country, odd.at, len(odd.notes)) == (None, None, 2)


def test_a_country_reads_the_phone_number_of_its_row() -> None:
    assert read({"phone": "030 1234567", "country": "DE"}).stops[0].address is not None
    with pytest.raises(BadRow):
        read({"phone": "030 1234567"})


def test_a_short_row_says_what_it_has() -> None:
    assert read_row(["ada@example.com"], Columns({"email": 0, "reason": 1, "date": 2}), READING).reason == ""


def test_columns_that_are_named_win() -> None:
    header = ["Email", "Home Email", "Address"]
    assert columns_of(header, {}).places == {"email": 0}
    assert columns_of(header, {}).unknown == ("Home Email", "Address")
    assert columns_of(header, {"email": "home_email"}).places["email"] == 1
    assert columns_of(header, {"email": "3"}).places["email"] == 2
    assert "status" not in columns_of(["email", "status"], {"status": ""}).places
    for chosen, words in (({"email": "Hom Email"}, "did you mean"), ({"email": "9"}, "no column"), ({"nose": "1"}, "not a field")):
        with pytest.raises(BadColumns, match=words):
            columns_of(header, chosen)
    with pytest.raises(BadColumns, match="the file has: a, b"):
        columns_of(["a", "b"], {})


def test_headers_are_told_from_rows() -> None:
    assert is_header(["Name", "E-Mail"]) and not is_header(["Ada", "ada@example.com"])
    assert guessed_header(["Ada", "ada@example.com", "x"]) == ("", "email", "")
    assert guessed_header(["+12065550100"]) == ("phone",)
    assert guessed_header(["Ada", "x"]) == ()


@given(st.dictionaries(st.sampled_from(sorted(NAMES)), st.text(max_size=30), max_size=8))
def test_whatever_a_row_says_it_stops_something_or_is_refused(row: dict[str, str]) -> None:
    try:
        found = read({"email": "ada@example.com", **row})
    except BadRow as refused:
        assert str(refused)
        return
    assert found.stops and all(stop.scopes and (stop.contact or stop.address) for stop in found.stops)
