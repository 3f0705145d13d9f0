"""Finds connectors: every folder beside this file, and every installed package with an entry point `sayso.connectors`."""

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

import sayso.connectors
from sayso.contracts.connector import Connector

GROUP = "sayso.connectors"


@dataclass(frozen=True, slots=True)
class Found:
    """The connectors by name, and one sentence for each that could not be used."""

    connectors: Mapping[str, Connector]
    problems: tuple[str, ...] = ()


def find(plugins: Iterable[EntryPoint] | None = None) -> Found:
    """Every connector there is, sorted by name.

    A built-in that does not load is a bug and raises; a plug-in that does not load, has the wrong shape or takes a name that is
    taken is left out and named in `problems`, so that one bad package cannot stop the others.
    """
    connectors: dict[str, Connector] = {}
    problems: list[str] = []
    for module in pkgutil.iter_modules(sayso.connectors.__path__):
        if module.ispkg:
            connectors[module.name] = _connector(importlib.import_module(f"{sayso.connectors.__name__}.{module.name}"), module.name)
    for plugin in sorted(entry_points(group=GROUP) if plugins is None else plugins, key=lambda plugin: plugin.name):
        if plugin.name in connectors:
            problems.append(f"{plugin.value}: the name {plugin.name} is taken")
            continue
        try:
            connectors[plugin.name] = _connector(plugin.load(), plugin.name)
        except Exception as error:  # noqa: BLE001 - a stranger's package may fail in any way when it is imported
            problems.append(f"{plugin.value}: {type(error).__name__}: {error}")
    return Found(dict(sorted(connectors.items())), tuple(problems))


def _connector(candidate: object, name: str) -> Connector:
    if not isinstance(candidate, Connector):
        raise TypeError(f"{name} lacks about, check, push, pull or hear")
    if candidate.about.name != name:
        raise TypeError(f"{name} calls itself {candidate.about.name}")
    return candidate
