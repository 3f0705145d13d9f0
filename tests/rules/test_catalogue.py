"""The catalogue: every message of the brief belongs somewhere, and a catalogue that cannot be used says where and why."""

import json
from typing import Any

import pytest

from sayso.rules.catalogue import DEFAULT, MOST_PEOPLE_READ, Catalogue, InvalidCatalogue, from_json, to_json, to_text

BRIEF = {
    "transactional": {
        "order_confirmations": ["order confirmations", "Order confirmation"],
        "account_security": ["account security", "Account security notifications"],
        "service_alerts": ["service disruption", "Service disruption alerts"],
        "legal_notices": ["legal", "Legal/compliance notices", "legal notice"],
    },
    "relationship": {
        "product_updates": ["product updates", "releases", "Product updates and releases", "account reviews", "Account review invitations"],
        "educational": ["educational webinars", "Educational webinars", "success check-ins", "Customer success check-ins"],
    },
    "marketing": {
        "promotional": [
            "promotional offers", "newsletter", "Newsletter subscriptions", "third-party partnerships", "Third-party partnership",
        ],
        "events": ["event invitations", "EVENT_INVITATION"],
    },
}  # fmt: skip
MESSAGES = [(name, key, kind) for kind, keys in BRIEF.items() for key, names in keys.items() for name in names]


@pytest.mark.feature("A4", "A5", "A6", "A7", "A8", "A10")
@pytest.mark.parametrize(("name", "key", "kind"), MESSAGES)
def test_every_message_of_the_brief_belongs_to_its_category(name: str, key: str, kind: str) -> None:
    for written in (name, name.upper(), f" {name} ", name.replace(" ", "_"), name.replace(" ", "-"), name.replace(" ", "  ")):
        found = DEFAULT.category_of(written)
        assert found is not None and (found.key, found.kind) == (key, kind), written


@pytest.mark.parametrize("name", ["", " ", "invoice", "order", "transactional", "promo", "s", "_"])
def test_a_message_nobody_mapped_belongs_nowhere(name: str) -> None:
    assert DEFAULT.category_of(name) is None
    assert DEFAULT.get(name) is None


@pytest.mark.feature("A2", "A4", "A5")
def test_the_default_catalogue_is_the_wire_contracts() -> None:
    assert DEFAULT.always_sent == ("order_confirmations", "account_security", "service_alerts", "legal_notices")
    assert {c.key: c.kind for c in DEFAULT.refusable} == {
        "product_updates": "relationship", "educational": "relationship", "promotional": "marketing", "events": "marketing",
    }  # fmt: skip
    assert 3 <= len(DEFAULT.refusable) <= MOST_PEOPLE_READ
    assert all(c.reason for c in DEFAULT.categories if not c.refusable)
    assert all(c.title and c.sends and c.often for c in DEFAULT.categories)


def test_a_catalogue_survives_its_text() -> None:
    again = from_json(json.loads(to_text(DEFAULT)), DEFAULT.version)
    assert again == DEFAULT
    assert to_text(again) == to_text(DEFAULT)
    assert from_json(to_json(DEFAULT), 7).version == 7


def body(**more: Any) -> dict[str, Any]:
    row = {"key": "news", "class": "marketing", "title": "News", "sends": "News.", "often": "Weekly"}
    return {"categories": [row], "message_types": {"letter": "news"}} | more


def row(**more: Any) -> dict[str, Any]:
    return body(categories=[body()["categories"][0] | more], message_types={})


BAD: dict[str, tuple[Any, str]] = {
    "no object": ([], "#"), "nothing": (None, "#"), "an unknown field": (body(extra=1), "#/extra"),
    "a field with a slash": (body(**{"a/b~c": 1}), "#/a~1b~0c"), "no categories": ({}, "#/categories"),
    "empty categories": (body(categories=[]), "#/categories"), "categories as an object": (body(categories={}), "#/categories"),
    "a row that is text": (body(categories=["news"]), "#/categories/0"), "an unknown field in a row": (row(colour="red"), "#/categories/0/colour"),
    "no title": (row(title=None), "#/categories/0/title"), "blank words": (row(sends=" "), "#/categories/0/sends"),
    "often as a number": (row(often=5), "#/categories/0/often"), "an upper-case key": (row(key="News"), "#/categories/0/key"),
    "a key with a break": (row(key="news\n"), "#/categories/0/key"), "a long key": (row(key="n" * 64), "#/categories/0/key"),
    "a key that begins with a digit": (row(key="1news"), "#/categories/0/key"), "an unknown class": (row(**{"class": "spam"}), "#/categories/0/class"),
    "a class that is a list": (row(**{"class": ["marketing"]}), "#/categories/0/class"),
    "transactional without a reason": (row(**{"class": "transactional"}), "#/categories/0/reason"),
    "a reason that is no text": (row(reason=5), "#/categories/0/reason"),
    "a key twice": (body(categories=body()["categories"] * 2), "#/categories/1/key"),
    "types as a list": (body(message_types=[]), "#/message_types"), "a type of no category": (body(message_types={"a": "b"}), "#/message_types/a"),
    "a type with a slash": (body(message_types={"a/b": "c"}), "#/message_types/a~1b"),
    "a type of a list": (body(message_types={"a": ["news"]}), "#/message_types/a"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD, ids=lambda name: name.replace(" ", "-"))
def test_a_catalogue_that_cannot_be_used_says_where_and_why(case: str) -> None:
    bad, pointer = BAD[case]
    with pytest.raises(InvalidCatalogue) as refused:
        from_json(bad, 2)
    assert refused.value.pointer == pointer
    assert refused.value.detail and str(refused.value).startswith(pointer)


def test_one_message_cannot_belong_to_two_categories_under_two_spellings() -> None:
    rows = [body()["categories"][0], body()["categories"][0] | {"key": "offers"}]
    with pytest.raises(InvalidCatalogue) as refused:
        from_json({"categories": rows, "message_types": {"Letters": "news", "letter": "offers"}}, 2)
    assert refused.value.pointer == "#/message_types/letter"
    assert from_json({"categories": rows, "message_types": {"Letters": "news", "letter": "news"}}, 2)


def test_what_is_read_is_what_was_written() -> None:
    found = from_json(body(version=1) | {"categories": [*body()["categories"], *to_json(DEFAULT)["categories"]]}, 3)
    assert isinstance(found, Catalogue)
    assert [c.key for c in found.categories] == ["news", *(c.key for c in DEFAULT.categories)]
    letter = found.category_of("LETTERS")
    assert letter is not None and (letter.key, letter.reason, letter.refusable) == ("news", "", True)
    assert from_json({"categories": body()["categories"]}, 1).message_types == {}
