"""What a permit is worth: the pure rule behind violations."""

import re
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.rules.answer import Logged
from sayso.rules.gate import Reason, Verdict
from sayso.rules.sends import CLOCKS_DIFFER, CODES, Send, by_permit, by_verdict, shown_permit
from sayso.rules.times import MINUTE, SECOND
from sayso.rules.tokens import Permit, Ring, read, read_permit, sign_permit

RING = Ring("k1", {"k1": b"p" * 32})
CHECK = UUID("019c0a5e-7b3a-7c21-9d55-0f3b6f1c2a41")
AT = 1_800_000_000 * SECOND


def permit(channel: str = "email", category: str = "promotional") -> Permit:
    text = sign_permit(RING, CHECK, channel, category, expires_at=AT + MINUTE)
    return read_permit(read(RING, text, kinds=("permit",), now=0))


def logged(*, allowed: bool = True, brand: str = "") -> Logged:
    code = "opted_in" if allowed else "category_opted_out"
    return Logged(Verdict(allowed, (Reason(code),), "eu_eprivacy_gdpr", 1), "email", "promotional", AT, brand)


@pytest.mark.feature("S1")
@given(st.integers(-2 * MINUTE, 3 * MINUTE), st.sampled_from(["*", "a", "b"]), st.sampled_from(["", "a"]), st.booleans(), st.booleans())
def test_a_permit_covers_exactly_its_life_its_brand_and_its_person(offset: int, brand: str, asked: str, allowed: bool, same: bool) -> None:
    send = Send(AT + offset, "email", "promotional", brand)
    code = by_permit(send, permit(), logged(allowed=allowed, brand=asked), same_person=same)
    good = allowed and same and -CLOCKS_DIFFER <= offset < MINUTE and (not asked or brand == asked)
    assert (code == "") == good
    assert good or code in CODES


@pytest.mark.feature("S1")
def test_each_thing_that_is_wrong_has_its_name() -> None:
    send = Send(AT, "email", "promotional", "*")
    assert by_permit(send, permit(), None, same_person=True) == "permit_unknown"
    assert by_permit(send, permit(channel="sms"), logged(), same_person=True) == "permit_of_another"
    assert by_permit(send, permit(category="events"), logged(), same_person=True) == "permit_of_another"
    assert by_permit(send, permit(), logged(allowed=False), same_person=True) == "sent_against_verdict"
    assert by_verdict(None) == "no_permit" and by_verdict(logged()) == ""
    assert by_verdict(logged(allowed=False)) == "sent_against_verdict"


@pytest.mark.feature("S1")
def test_a_permit_is_read_for_what_it_said_also_when_it_is_over_and_nothing_else_is_one() -> None:
    text = sign_permit(RING, CHECK, "email", "promotional", expires_at=AT)
    found = shown_permit(RING, text).permit
    assert found is not None and found.expires_at == AT
    for other in (text[:-1], text + "A", "", "1.k1..", text.replace("k1", "k2", 1)):
        assert shown_permit(RING, other).permit is None
    assert shown_permit(Ring("k2", {"k2": b"q" * 32, "k1": b"p" * 32}), text).permit == found


def test_every_violation_is_explained() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "violations.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \| (.*?) \|", page, re.MULTILINE) == list(CODES.items())
