"""The texts of mails in each language (one TOML file each, with the same keys and placeholders), and times as people write them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Final

LANGUAGES: Final = ("en", "de", "fr", "es", "ar")
DEFAULT: Final = "en"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Texts:
    """One language: its code, and its texts by key (``confirmation.subject`` stands for the key of a table)."""

    code: str
    table: Mapping[str, Any] = field(repr=False)

    def t(self, key: str, **given: str) -> str:
        """The text of a key with its placeholders filled. Raises KeyError for one that is not there."""
        found: Any = self.table
        for part in key.split("."):
            found = found[part]
        return str(found).format(**given)

    def has(self, key: str) -> bool:
        """Whether there is such a text."""
        table, _, name = key.partition(".")
        return name in self.table.get(table, {})

    @property
    def direction(self) -> str:
        """``ltr`` or ``rtl``."""
        return str(self.table["direction"])

    def date(self, at: int) -> str:
        """The day (UTC) of a time in microseconds."""
        day = _EPOCH + timedelta(microseconds=at)
        return self.t("date", day=str(day.day), month=self.table["months"][day.month - 1], year=str(day.year))

    def moment(self, at: int) -> str:
        """Day and minute (UTC) of a time in microseconds."""
        return self.t("moment", date=self.date(at), time=f"{_EPOCH + timedelta(microseconds=at):%H:%M}")


def texts_of(language: str) -> Texts:
    """The texts of a language tag such as ``de`` or ``de-AT``; English for one that nobody translated."""
    code = language.replace("_", "-").partition("-")[0].lower()
    return _read(code if code in LANGUAGES else DEFAULT)


@cache
def _read(code: str) -> Texts:
    return Texts(code, tomllib.loads((files(__package__) / f"{code}.toml").read_text(encoding="utf-8")))
