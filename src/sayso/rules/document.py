"""The preferences document of the wire contract (section 3), from what a subject's rows say."""

from functools import lru_cache
from typing import Any, NamedTuple

from sayso.rules import view
from sayso.rules.catalogue import Catalogue
from sayso.rules.times import format_time
from sayso.rules.view import Heard, Reading
from sayso.rules.words import ANY, Scope


class Latest(NamedTuple):
    """The latest applied entry: when, through what, why, from where."""

    at: int
    source: str
    method: str
    reason: str | None
    ip: str | None


class Who(NamedTuple):
    """Whom a document is about: their id and main e-mail address as they were given, and their country."""

    contact_id: str | None
    email: str | None
    country: str | None


def document(
    who: Who, readings: tuple[Reading, ...], catalogue: Catalogue, *, brand: str | None, version: int, latest: Latest | None,
    now: int, window: int,
) -> dict[str, Any]:  # fmt: skip
    """The document for one brand, or without one (None) for the whole company with a part per brand."""
    place, said = brand or ANY, view.heard(readings)
    until = view.paused_until(readings, place, now)
    channels = view.channels_shown(readings)
    if len(said) == 1 and said[0].outs is not None:
        choices, flags = _of_outs(said[0].outs, catalogue.refusable_keys, place, channels)
    else:
        choices, flags = (
            _choices(said, catalogue.refusable_keys, place, window),
            _channels(said, catalogue.refusable_keys, place, channels, window),
        )
    return {
        "contact_id": who.contact_id,
        "email": who.email,
        **choices,
        "email_pref_last_updated": format_time(latest.at) if latest else None,
        "email_pref_update_source": latest.source if latest else None,
        "email_pref_update_reason": latest.reason if latest else None,
        "email_pref_consent_ip": latest.ip if latest else None,
        "email_pref_consent_method": (latest.method or None) if latest else None,
        "paused_until": format_time(until) if until else None,
        "blacklisted": view.is_blacklisted(readings),
        "country": who.country,
        "always_sent": list(catalogue.always_sent),
        "channels": {channel: dict(flag) for channel, flag in flags.items()},
        "brands": {} if brand else {b: _branded(readings, said, catalogue, b, now, window) for b in view.brands_of(readings)},
        "version": version,
        "catalogue_version": catalogue.version,
    }


@lru_cache(maxsize=4_096)
def _of_outs(outs: frozenset[Scope], keys: tuple[str, ...], brand: str, channels: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Choices and channels of whoever only opted out, to be copied: no times are weighed, and few such documents differ."""
    said = (Heard({}, {}, outs),)
    return _choices(said, keys, brand, 0), _channels(said, keys, brand, channels, 0)


def _choices(said: tuple[Heard, ...], keys: tuple[str, ...], brand: str, window: int) -> dict[str, Any]:
    chosen = view.choices_among(said, keys, brand, "email", window)
    return {
        "email_opt_out_global": view.is_out_among(said, brand, "email", window),
        **{f"email_pref_{key}": choice for key, choice in chosen.items()},
    }


def _branded(
    readings: tuple[Reading, ...], said: tuple[Heard, ...], catalogue: Catalogue, brand: str, now: int, window: int
) -> dict[str, Any]:
    until = view.paused_until(readings, brand, now)
    channels = _channels(said, catalogue.refusable_keys, brand, view.channels_shown(readings), window)
    choices = _choices(said, catalogue.refusable_keys, brand, window)
    return {**choices, "paused_until": format_time(until) if until else None, "channels": channels}


def _channels(said: tuple[Heard, ...], keys: tuple[str, ...], brand: str, channels: tuple[str, ...], window: int) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for channel in channels:
        entry: dict[str, Any] = {"opt_out": view.is_out_among(said, brand, channel, window)}
        if channel != "email":
            named = view.choices_among(said, keys, brand, channel, window)
            choices = {key: choice for key, choice in named.items() if choice != "not_set"}
            if choices:
                entry["choices"] = choices
        shown[channel] = entry
    return shown


def traits(readings: tuple[Reading, ...], window: int) -> dict[str, str]:
    """``traits.optOut`` by channel: "true" out now, "false" came back; whoever never left has no line."""
    words = {channel: view.word_at(readings, Scope(ANY, channel, ANY), window) for channel in view.channels_shown(readings)}
    return {channel: "true" if word == "out" else "false" for channel, word in words.items() if word != "silent"}
