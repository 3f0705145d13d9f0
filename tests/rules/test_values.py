"""Values do not change; another one is made of them."""

import gc
import inspect
import typing
from collections.abc import Iterator

import msgspec
import pytest

import sayso.app  # with it every value there is
from sayso.rules.entries import Entry
from sayso.rules.state import State
from sayso.rules.values import Value, altered


def test_a_value_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        State().version = 1  # type: ignore[misc]  # which is the point


def test_another_value_leaves_the_first_as_it_was() -> None:
    before = State(version=1, delivered=7)
    after = altered(before, version=2)
    assert (before.version, after.version, after.delivered) == (1, 2, 7)
    assert altered(after, version=1) == before


def test_a_field_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError):
        altered(State(), verison=2)


def test_equal_values_are_one_in_a_set() -> None:
    def entry(act: str) -> Entry:
        return Entry("1", "ab", "event", 1, 1, act, "api", "c:shop", "api")

    assert len({entry("open"), entry("open"), entry("click")}) == 2


def test_nobody_looks_for_circles_through_a_value() -> None:
    assert not gc.is_tracked(State())


def every(kind: type[Value]) -> Iterator[type[Value]]:
    for one in kind.__subclasses__():
        yield one
        yield from every(one)


def holds_a_function(kind: type[Value]) -> bool:
    said = typing.get_type_hints(kind, vars(inspect.getmodule(kind)))
    return any("Callable" in str(said[field.name]) for field in msgspec.structs.fields(kind))


@pytest.mark.parametrize("kind", list(every(Value)), ids=lambda kind: kind.__qualname__)
def test_circles_are_looked_for_through_those_that_hold_functions_alone(kind: type[Value]) -> None:
    """What a function remembers may lead back to the value, and nothing that hangs together so would ever be freed."""
    assert kind.__struct_config__.gc == holds_a_function(kind)


def test_some_values_hold_functions() -> None:
    assert sayso.app and {kind.__name__ for kind in every(Value) if holds_a_function(kind)} >= {"Act", "Query", "Scene"}
