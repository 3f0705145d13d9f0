"""Rules that are broken on purpose: the promises must be found to fail for them."""

from sayso.rules.entries import Entry
from sayso.rules.state import At, Stamp, State, fold
from sayso.rules.values import altered

NARROW = 10
"""The conflict window of the promises, in the same small unit as their times."""


def last_writer_by_arrival(state: State, entry: Entry) -> State:
    """Whatever arrives last is the truth of its scope, whoever said it and whenever."""
    if entry.kind != "choice" or entry.scope is None or not entry.strong:
        return fold(state, entry)
    stamp = Stamp(0, entry.new == "opted_out", entry.id, True, entry.method, entry.src)
    return altered(state, strong={**state.strong, At(entry.scope, "anybody", entry.about): stamp})


def pairwise_window(state: State, entry: Entry) -> State:
    """One winner a scope: within the window of the last change the opt-out, otherwise the later one.

    Three statements then give different results in different orders.
    """
    if entry.kind != "choice" or entry.scope is None or not entry.strong:
        return fold(state, entry)
    at = At(entry.scope, "anybody", entry.about)
    new, held = Stamp(entry.ts, entry.new == "opted_out", entry.id, entry.own, entry.method, entry.src), state.strong.get(at)
    if held is None:
        return altered(state, strong={**state.strong, at: new})
    near = abs(new.ts - held.ts) <= NARROW
    winner = max(new, held, key=lambda one: one.out) if near and new.out != held.out else max(new, held)
    return altered(state, strong={**state.strong, at: winner._replace(ts=max(new.ts, held.ts))})


def weak_counts_as_strong(state: State, entry: Entry) -> State:
    return fold(state, altered(entry, strong=True))


def time_of_arrival(state: State, entry: Entry) -> State:
    return fold(state, altered(entry, ts=entry.at))


def one_actor_for_all(state: State, entry: Entry) -> State:
    return fold(state, altered(entry, by="anybody"))
