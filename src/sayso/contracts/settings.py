"""The settings of one connection: what a connector asks for, and typed reading of what it was given."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting a connector understands; secret ones are write-only and redacted everywhere."""

    key: str
    help: str
    required: bool = False
    secret: bool = False


class BadSettings(Exception):
    """Mend the settings: `key` names which one, the text says what to do."""

    def __init__(self, key: str, detail: str) -> None:
        self.key = key
        super().__init__(f"{key}: {detail}")


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings as they are stored (JSON values). Reading one gives its type or raises BadSettings; absent is never permission."""

    values: Mapping[str, Value] = field(repr=False)

    def text(self, key: str, default: str | None = None) -> str:
        """A non-empty text; the default when absent; BadSettings when absent without one."""
        value = self.values.get(key)
        if _is_absent(value):
            if default is None:
                raise BadSettings(key, "is missing")
            return default
        if not isinstance(value, str) or any(ord(sign) < 32 for sign in value):
            raise BadSettings(key, "must be a text without control characters")
        return value.strip()

    def flag(self, key: str) -> bool:
        """True only where it was set to true (or the texts `true`, `yes`, `1`); absent is False."""
        value = self.values.get(key)
        if value is None or isinstance(value, bool):
            return bool(value)
        word = str(value).strip().lower()
        if word not in ("true", "yes", "1", "false", "no", "0", ""):
            raise BadSettings(key, "must be true or false")
        return word in ("true", "yes", "1")

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; a single text counts as a list of one; empty when absent."""
        value = self.values.get(key)
        if value is None or value == "":
            return ()
        if isinstance(value, str):
            return (value,)
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            raise BadSettings(key, "must be a list of texts")
        return tuple(str(one) for one in value)

    def numbers(self, key: str) -> tuple[tuple[str, int], ...]:
        """A table of whole numbers, sorted by key (`{"promotional": 123}`); digits in text count; empty when absent."""
        value = self.values.get(key)
        if value is None or value == "":
            return ()
        if isinstance(value, str):
            value = _table(key, value)
        if not isinstance(value, dict):
            raise BadSettings(key, 'must be a table of numbers, for example {"promotional": 123}')
        found: list[tuple[str, int]] = []
        for name, number in value.items():
            text = str(number).strip()
            if isinstance(number, bool) or not (text.isascii() and text.isdigit() and len(text) <= 18):
                raise BadSettings(key, f"{name} must be a whole number")
            found.append((name, int(text)))
        return tuple(sorted(found))

    def secrets(self, schema: tuple[Setting, ...]) -> tuple[str, ...]:
        """Every secret text in these settings, for redaction; longer ones first so that no tail survives."""
        found: set[str] = set()
        for setting in schema:
            if setting.secret:
                value = self.values.get(setting.key)
                found.update(one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str) and one)
        return tuple(sorted(found, key=len, reverse=True))


def _table(key: str, text: str) -> Value:
    """A table written as JSON text, as the command line gives it."""
    try:
        return cast(Value, json.loads(text))
    except (ValueError, RecursionError):
        raise BadSettings(key, 'must be a JSON table, for example {"promotional": 123}') from None


def problems(settings: Settings, schema: tuple[Setting, ...]) -> tuple[str, ...]:
    """What is wrong at first sight: unknown keys and missing required ones, one sentence each."""
    known = {setting.key for setting in schema}
    unknown = [
        f"{key}: is not a setting of this connector; known are {', '.join(sorted(known))}" for key in settings.values if key not in known
    ]
    missing = [f"{one.key}: is missing ({one.help})" for one in schema if one.required and _is_absent(settings.values.get(one.key))]
    return tuple(unknown + missing)


def _is_absent(value: Value) -> bool:
    """Whether a setting says nothing; a text of nothing but blanks does not."""
    return value in (None, []) or (isinstance(value, str) and not value.strip())
