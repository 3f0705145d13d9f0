"""The language of a page: asked for, used last, wished by the browser, English; and how days are written in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from page_states import AT
from sayso.web.center.languages import LANGUAGES, LONGEST, Texts, flaws_of, negotiated, texts_for


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"), ("de", "de"), ("de-AT, en;q=0.8", "de"), ("fr;q=0.2, es;q=0.9", "es"), ("nl, fr;q=0.5", "fr"), ("de;q=0, ar;q=0.1", "ar"),
        ("*", "en"), ("de;q=0", "en"), ("DE-de", "de"), ("fr, de", "fr"), ("de;q=high, es", "es"), ("x" * 10_000 + ", de", "en"),
    ],
)  # fmt: skip
@pytest.mark.feature("R10")
def test_the_browser_is_asked_in_its_order(header: str, language: str) -> None:
    assert negotiated(header) == language


@pytest.mark.feature("R10")
def test_who_asks_for_a_language_gets_it() -> None:
    assert texts_for(("ar", "de", "fr"), "es").language == "ar"
    assert texts_for(("", "nl", "pt-BR", "fr-CA"), "es").language == "fr"
    assert texts_for(("tlh",), "es").language == "es"
    assert texts_for((), "", own=lambda language: {"preferences_title": language}).text("preferences_title") == "en"


@given(st.text(max_size=80), st.lists(st.text(max_size=8), max_size=3))
def test_nothing_in_a_header_or_a_query_breaks_the_choice(header: str, asked: list[str]) -> None:
    assert texts_for(asked, header).language in LANGUAGES


@pytest.mark.parametrize(
    ("language", "moment", "short"),
    [
        ("en", "22 November 2026, 09:42 UTC", "0.1 s"), ("de", "22. November 2026, 09:42 UTC", "0,1 s"), ("fr", "22 novembre 2026 à 09:42 UTC", "0,1 s"),
        ("es", "22 de noviembre de 2026, 09:42 UTC", "0,1 s"), ("ar", "22 نوفمبر 2026، 09:42 UTC", "0.1 ث"),
    ],
)  # fmt: skip
@pytest.mark.feature("G4", "R10")
def test_times_are_written_as_in_the_language(language: str, moment: str, short: str) -> None:
    texts = Texts(language)
    assert texts.moment(AT) == moment
    assert texts.seconds(142) == short
    assert (texts.seconds(0), texts.seconds(120_000)) == (short, "")
    assert texts.seconds(61_400).startswith("61")


def test_an_operators_own_texts_are_checked() -> None:
    assert flaws_of({"preferences_title": "Your letters", "category_pets_title": "Pets", "common_for": "{who}!"}, "en") == ()
    assert "no language" in flaws_of({}, "tlh")[0]
    assert "no text" in flaws_of({"preferences_titel": "…"}, "en")[0]
    assert "no place {whom}" in flaws_of({"common_for": "For {whom}"}, "en")[0]
    assert [str(LONGEST) in flaw for flaw in flaws_of({"common_yes": " ", "common_no": "x" * 1_001}, "de")] == [True, True]


def test_places_are_plain_names_and_unknown_texts_are_errors() -> None:
    odd = Texts("en", {"common_for": "{who} {who.__class__} {0} {nothing}|"})
    assert odd.t("common_for", who="Ada") == "Ada {who.__class__} {0} |"
    with pytest.raises(KeyError):
        odd.text("preferences_titel")
    assert (odd.has("common_for"), odd.has("nonsense"), Texts("ar").direction) == (True, False, "rtl")
