"""Cells and lines of CSV (RFC 4180) that no spreadsheet takes for a formula."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_QUOTED: Final = frozenset('",\r\n')


def cell(value: Any) -> str:
    """A value as a cell: empty for nothing, JSON for what has parts, and a quote mark in front of what would be a formula."""
    if value is None or value == {}:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = json.dumps(value, ensure_ascii=False, sort_keys=True) if isinstance(value, Mapping | list) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def line(cells: Iterable[str]) -> str:
    """Cells as one line, its end included."""
    return ",".join(_quoted(one) for one in cells) + "\r\n"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _QUOTED & set(text) else text
