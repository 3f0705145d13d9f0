"""Settings say what is wrong with them, and never show a secret."""

from typing import Any

import pytest

from sayso.contracts.settings import BadSettings, Setting, Settings, problems

SCHEMA = (Setting("key", "the key", required=True, secret=True), Setting("keys", "more keys", secret=True), Setting("url", "where"))


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        ("text", " a ", "a"),
        ("flag", True, True),
        ("flag", "YES", True),
        ("flag", "0", False),
        ("flag", None, False),
        ("texts", None, ()),
        ("texts", "one", ("one",)),
        ("texts", ["a", "b"], ("a", "b")),
        ("numbers", None, ()),
        ("numbers", {"b": 2, "a": "1"}, (("a", 1), ("b", 2))),
        ("numbers", '{"a": 1}', (("a", 1),)),
    ],
)
def test_values_are_read_as_their_type(read: str, value: Any, expected: Any) -> None:
    assert getattr(Settings({"x": value}), read)("x") == expected


@pytest.mark.parametrize(
    ("read", "value"),
    [
        ("text", None),
        ("text", ""),
        ("text", 7),
        ("text", "a\nb"),
        ("flag", "perhaps"),
        ("texts", [1]),
        ("texts", [""]),
        ("texts", {}),
        ("numbers", []),
        ("numbers", "[" * 100_000),
        ("numbers", {"a": 1.5}),
        ("numbers", {"a": "²"}),
    ],
)
def test_anything_else_names_the_setting(read: str, value: Any) -> None:
    with pytest.raises(BadSettings) as raised:
        getattr(Settings({"x": value}), read)("x")
    assert raised.value.key == "x"


def test_unknown_and_missing_settings_are_found_at_once() -> None:
    assert problems(Settings({"key": "k"}), SCHEMA) == ()
    found = problems(Settings({"kye": "k"}), SCHEMA)
    assert [problem.partition(":")[0] for problem in found] == ["kye", "key"]


def test_secrets_are_listed_longest_first_and_never_shown() -> None:
    settings = Settings({"key": "abc", "keys": ["abcdef", "b"], "url": "https://example.com"})
    assert settings.secrets(SCHEMA) == ("abcdef", "abc", "b")
    assert "abc" not in repr(settings)
