"""Colours of a brand's pages: readable or refused, with everything else that a page needs made from the six that are given.

Contrast is WCAG 2.2's (1.4.3: 4.5 for text; 1.4.11: 3 for the edges of controls). What is made here is made to pass.
"""

import re
from collections.abc import Mapping
from typing import Final

TEXT: Final = 4.5
EDGE: Final = 3.0
_HEX: Final = re.compile(r"#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})\Z")

LIGHT: Final = {
    "accent": "#0b6452", "on-accent": "#ffffff", "ink": "#1b201e", "paper": "#f7f6f2", "surface": "#fffefb", "line": "#e2dfd6",
}  # fmt: skip
DARK: Final = {
    "accent": "#63d2b4", "on-accent": "#06241c", "ink": "#e9eeeb", "paper": "#111513", "surface": "#191e1c", "line": "#2d3532",
}  # fmt: skip
"""Dark pages keep these; of a brand they take the accent, made lighter until it can be read."""

PAIRS: Final = (
    ("on-accent", "accent", "the words on buttons"),
    ("ink", "paper", "text on the page"),
    ("ink", "surface", "text on the card"),
    ("accent", "paper", "links on the page"),
    ("accent", "surface", "links on the card"),
)


class BadColours(ValueError):
    """Colours that cannot be used; `problems` holds one sentence each, with what to do."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def problems_of(given: Mapping[str, str]) -> tuple[str, ...]:
    """What is wrong with a brand's colours, one sentence each; those not given are the built-in ones."""
    unknown = [f"{name!r} is no colour of a page; known are {', '.join(LIGHT)}" for name in given if name not in LIGHT]
    unread = [f"{name} is {value!r}: write it as #rgb or #rrggbb" for name, value in given.items() if not _HEX.match(value)]
    if unknown or unread:
        return (*unknown, *unread)
    whole = {**LIGHT, **given}
    return tuple(
        f"{what} cannot be read: {over} {whole[over]} on {under} {whole[under]} has a contrast of {found:.2f}, and {TEXT} is needed"
        for over, under, what in PAIRS
        if (found := contrast(whole[over], whole[under])) < TEXT
    )


def palette(given: Mapping[str, str]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Every colour of a page in light and in dark, by name; raises BadColours where problems_of finds any."""
    problems = problems_of(given)
    if problems:
        raise BadColours(problems)
    light = {**LIGHT, **given}
    dark = dict(DARK)
    if "accent" in given:
        dark["accent"] = _readable(given["accent"], "#ffffff", (DARK["surface"], DARK["paper"]), TEXT)
        dark["on-accent"] = max(("#000000", "#ffffff"), key=lambda one: contrast(one, dark["accent"]))
    return _whole(light), _whole(dark)


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, from 1 to 21 (WCAG 2.2, definition of contrast ratio)."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def mix(one: str, other: str, share: float) -> str:
    """A colour between two: `share` (0 to 1) of the other."""
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(_parts(one), _parts(other), strict=True))


def _whole(six: Mapping[str, str]) -> Mapping[str, str]:
    """The six, and made from them: softer text, the edge of controls, and the wash behind notes."""
    under = (six["surface"], six["paper"])
    washes = (mix(six["surface"], six["accent"], share / 100) for share in (8, 6, 4, 2, 0))
    wash = next(one for one in washes if min(contrast(six["ink"], one), contrast(six["accent"], one)) >= TEXT)
    return {
        **six,
        "wash": wash,
        "soft": _readable(mix(six["ink"], six["surface"], 0.36), six["ink"], (*under, wash), TEXT + 0.4),
        "edge": _readable(mix(six["ink"], six["surface"], 0.55), six["ink"], under, EDGE + 0.1),
    }


def _readable(colour: str, towards: str, under: tuple[str, ...], enough: float) -> str:
    """The colour, moved towards another until it stands out from all of these; the other itself where nothing less does."""
    for step in range(20):
        found = mix(colour, towards, step / 20)
        if all(contrast(found, one) >= enough for one in under):
            return found
    return towards


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(part / 255) for part in _parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def _parts(colour: str) -> tuple[int, int, int]:
    digits = colour.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
