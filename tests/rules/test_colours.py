"""A brand's colours: readable or refused; what is made of them can be read, in light and in dark."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sayso.rules.colours import DARK, EDGE, LIGHT, TEXT, BadColours, contrast, mix, palette, problems_of

colours = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#fff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#abc", "#aabbcc") == 1
    assert mix("#000000", "#ffffff", 0.5) == "#808080"


@pytest.mark.feature("R10")
def test_colours_that_cannot_be_read_are_refused_with_the_pair_and_the_number() -> None:
    assert problems_of({}) == problems_of(DARK) == ()
    assert (
        "the words on buttons cannot be read: on-accent #ffffff on accent #ffcc00 has a contrast of 1.5"
        in problems_of({"accent": "#ffcc00"})[0]
    )
    assert problems_of({"accent": "#ffcc00", "on-accent": "#000"})[0].startswith("links on the page")
    assert problems_of({"akzent": "#000", "ink": "black"}) == (
        "'akzent' is no colour of a page; known are accent, on-accent, ink, paper, surface, line",
        "ink is 'black': write it as #rgb or #rrggbb",
    )
    with pytest.raises(BadColours, match="text on the card"):
        palette({"ink": "#fefefe"})


@given(st.dictionaries(st.sampled_from(sorted(LIGHT)), colours))
def test_whatever_is_accepted_can_be_read_in_light_and_dark(given: dict[str, str]) -> None:
    assume(not problems_of(given))
    for page in palette(given):
        for under in ("paper", "surface", "wash"):
            assert contrast(page["ink"], page[under]) >= TEXT
            assert contrast(page["accent"], page[under]) >= TEXT
            assert contrast(page["soft"], page[under]) >= TEXT
            assert under == "wash" or contrast(page["edge"], page[under]) >= EDGE
        assert contrast(page["on-accent"], page["accent"]) >= TEXT


def test_what_is_hardly_readable_is_made_no_softer() -> None:
    light, _ = palette({"ink": "#757575", "paper": "#fff", "surface": "#fff", "accent": "#767676"})
    assert light["soft"] == "#757575"
    assert light["wash"] == "#ffffff"
