"""A connector is found where it lies, and a bad package hurts nobody else."""

import sys
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest

from sayso.connectors import webhook
from sayso.connectors.registry import find
from sayso.contracts.connector import Connector, KnowsEchoes, ReadsBack


@pytest.mark.feature("D2", "D12")
def test_the_folders_are_the_list() -> None:
    found = find()
    assert {"mailchimp", "sendgrid", "webhook"} <= set(found.connectors) and not found.problems
    assert list(found.connectors) == sorted(found.connectors)
    assert all(isinstance(connector, Connector) and connector.about.name == name for name, connector in found.connectors.items())
    assert {name for name, one in found.connectors.items() if isinstance(one, ReadsBack) and isinstance(one, KnowsEchoes)} >= {
        "mailchimp",
        "sendgrid",
    }


def test_packages_bring_more_and_bad_ones_are_named() -> None:
    plugins = [
        EntryPoint("acme", "acme_connector_of_the_tests", "sayso.connectors"),
        EntryPoint("sendgrid", "sayso.connectors.webhook", "sayso.connectors"),
        EntryPoint("nosuch", "sayso_no_such_package", "sayso.connectors"),
        EntryPoint("wrong", "sayso.connectors.drive", "sayso.connectors"),
        EntryPoint("liar", "sayso.connectors.webhook", "sayso.connectors"),
    ]
    acme = SimpleNamespace(
        **{name: getattr(webhook, name) for name in ("check", "push", "pull", "hear")}, about=SimpleNamespace(name="acme")
    )
    sys.modules["acme_connector_of_the_tests"] = acme  # type: ignore[assignment]  # a package in miniature
    try:
        found = find(plugins)
    finally:
        del sys.modules["acme_connector_of_the_tests"]
    assert found.connectors["acme"] is acme and found.connectors["sendgrid"] is not webhook
    assert len(found.problems) == 4
    assert all(any(word in problem for problem in found.problems) for word in ("taken", "no_such", "lacks", "calls itself webhook"))
