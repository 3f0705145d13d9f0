"""The checker of histories, tried on histories made by hand: right ones pass, broken ones do not."""

import random

from history import Check, History, Write


def test_the_checker_finds_what_is_wrong_in_histories_made_by_hand() -> None:
    assert violations("out 0 1", "check 2 3 allow") == 1
    assert violations("out 0 1", "check 2 3 deny") == 0
    assert violations("out 0 2", "check 1 3 allow") == 0, "the opt-out was not acknowledged when the check began"
    assert violations("out 0 1", "in 2 3", "check 4 5 allow") == 0
    assert violations("out 0 1", "in 2 -", "check 4 5 allow") == 0, "an unanswered opt-in may have taken effect"
    assert violations("out 0 1", "in 6 7", "check 4 5 allow") == 1, "that opt-in came after the check"
    assert violations("out 0 1", "in 4.5 7", "check 4 5 allow") == 0, "that opt-in was under way"
    assert violations("in 0 1", "out 2 3", "check 4 5 allow") == 1
    assert violations("in 0 1", "out 2 -", "check 4 5 allow") == 0, "an unanswered opt-out may never take effect"
    assert violations("in 0 -", "out 2 3", "check 4 5 allow") == 0, "an unanswered opt-in may land late"
    assert violations("out 0 -", "out 2 3", "check 4 5 allow") == 1, "an unanswered opt-out excuses nothing"


def test_one_stale_answer_among_many_thousands_is_found() -> None:
    chance = random.Random(3)
    for _ in range(50):
        history, now = History(), 0.0
        for n in range(200):
            history.writes.append(Write(n % 2 == 0, now, now + 1))
            history.checks += [Check(now + 1.1 + m / 100, now + 1.2 + m / 100, n % 2 == 1) for m in range(20)]
            now += 2
        assert history.violations() == []
        outs = [place for place, check in enumerate(history.checks) if not check.allowed]
        place = chance.choice(outs)
        wrong = history.checks[place]
        history.checks[place] = Check(wrong.invoked, wrong.answered, True)
        assert [check for check, _ in history.violations()] == [history.checks[place]]


def violations(*lines: str) -> int:
    """How many violations the checker finds in a history written as `out|in INVOKED ACKED` and `check INVOKED ANSWERED allow|deny`."""
    history = History()
    for line in lines:
        what, invoked, ended, *rest = line.split()
        if what == "check":
            history.checks.append(Check(float(invoked), float(ended), rest == ["allow"]))
        else:
            history.writes.append(Write(what == "out", float(invoked), None if ended == "-" else float(ended)))
    return len(history.violations())
