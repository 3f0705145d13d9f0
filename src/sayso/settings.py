"""Everything an operator can set, read once at start and never again: ``sayso.toml`` < ``SAYSO_…`` < ``SAYSO_…_FILE``.

An empty environment variable counts as not set. ``sayso.toml`` is looked for in the working folder, or where ``SAYSO_CONFIG`` says; its
keys are the variables' names in lower case without the prefix, and ``[brand.KEY]`` tables say what mails and pages of a brand
say instead. Unknown names are refused with a suggestion, and all problems are told at once. Secrets never show in the repr.
"""

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from sayso import settings_forms as form
from sayso.rules.destinations import IPNetwork
from sayso.rules.times import parse_duration
from sayso.settings_forms import Listener, MailRoute

T = TypeVar("T")

PREFIX = "SAYSO_"
FILE_SUFFIX = "_FILE"
CONFIG = "SAYSO_CONFIG"
BRAND_KEYS = ("company", "mail_from", "postal_address", "privacy_url", "embed_origins")


class BadConfiguration(ValueError):
    """The settings cannot be used; ``problems`` holds one sentence each, with what to do."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Described:
    """One setting as the reference shows it; ``name`` is the key in sayso.toml, ``variable`` the one in the environment."""

    name: str
    default: str
    meaning: str
    secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return PREFIX + self.name.upper()


SETTINGS = (
    Described("data_dir", "./sayso-data (root: /var/lib/sayso)", "keys, embedded database, exports; nothing is written elsewhere"),
    Described("database_url", "(embedded)", "any PostgreSQL 15 or newer: postgresql://user:password@host/database", secret=True),
    Described("host", "127.0.0.1", "address the web process listens on"),
    Described("port", "8400", "port the web process listens on"),
    Described("public_url", "http://127.0.0.1:8400", "base of links in mail"),
    Described(
        "mail_url", "folder: (mail under the data folder)", "smtp://user:pass@host:port, smtps://…, folder:/path, console:", secret=True
    ),
    Described("mail_from", "Northwind Outfitters <preferences@northwind.example>", "sender of mails"),
    Described("company", "Northwind Outfitters", "company that mails and pages name"),
    Described("postal_address", "1 Harbour Way, Example City", "postal address in the footer of mails"),
    Described("privacy_url", "https://northwind.example/privacy", "privacy policy that pages link to"),
    Described(
        "embed_origins", "(none)", "origins of websites that may frame the preference form and call the headless twin from a browser"
    ),
    Described("unsubscribe_mailbox", "(none)", "address of mailto opt-outs; without it no mailto link is offered"),
    Described("inbound_smtp", "(none)", "host:port to listen on for opt-outs and reports by mail"),
    Described(
        "trusted_proxies", "(none)", "networks of your own reverse proxies: their X-Forwarded-For says where a person's request came from"
    ),
    Described("webhook_allow", "(none)", "networks that webhooks may reach although not public, also over http and on any port"),
    Described("conflict_window", "10s", "how long after an opt-out a relayed opt-in still loses"),
    Described("default_country", "(none: strictest regime)", "ISO 3166 country of recipients whose country is unknown"),
    Described("rate_limit", "(none)", "requests per minute and client"),
)
_DEFAULT = {one.name: one.default for one in SETTINGS}
DEMO = ("mail_from", "company", "postal_address", "privacy_url")
"""Settings whose defaults are good for a demonstration only; the start warns about each that is left."""


@dataclass(frozen=True, slots=True)
class Brand:
    """What mails and pages of one brand say; the company-wide values where its table says nothing."""

    company: str
    mail_from: str
    postal_address: str
    privacy_url: str
    embed_origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, checked and typed. ``conflict_window`` is in microseconds; ``origins`` tells where each value comes from."""

    data_dir: Path
    database_url: str | None = field(repr=False)
    host: str
    port: int
    public_url: str
    mail_url: MailRoute
    mail_from: str
    company: str
    postal_address: str
    privacy_url: str
    embed_origins: tuple[str, ...]
    unsubscribe_mailbox: str | None
    inbound_smtp: Listener | None
    trusted_proxies: tuple[IPNetwork, ...]
    webhook_allow: tuple[IPNetwork, ...]
    conflict_window: int
    default_country: str | None
    rate_limit: int | None
    brands: Mapping[str, Brand]
    origins: Mapping[str, str]

    def brand(self, key: str) -> Brand:
        """What a brand says; an unknown one, and ``*``, speaks as the company."""
        return self.brands.get(key) or Brand(self.company, self.mail_from, self.postal_address, self.privacy_url, self.embed_origins)

    @property
    def left_at_demo(self) -> tuple[str, ...]:
        """The variables that still hold demonstration values."""
        return tuple(PREFIX + name.upper() for name in DEMO if self.origins[name] == "default")


def describe() -> tuple[Described, ...]:
    """Every setting with its default and meaning, in the order of the reference."""
    return SETTINGS


def read(env: Mapping[str, str], toml_path: Path | None = None, *, cwd: Path | None = None, root: bool | None = None) -> Settings:
    """The settings of this environment and file; raises BadConfiguration with every problem found.

    Without ``toml_path`` the file is the one ``SAYSO_CONFIG`` names, else ``sayso.toml`` in ``cwd`` if there is one.
    """
    cwd = Path.cwd() if cwd is None else cwd
    root = os.geteuid() == 0 if root is None else root
    problems: list[str] = []
    table, folder = _toml(env, toml_path, cwd, problems)
    raw = _raw(env, table, problems)
    values = _Values(raw, problems)
    settings = _settings(values, table.get("brand", {}), cwd=cwd, folder=folder, root=root)
    if problems:
        raise BadConfiguration(tuple(problems))
    return settings


def listening(settings: Settings, *, host: str | None = None, port: int | None = None) -> Settings:
    """The settings with the listener of the command line; links follow the port unless their base was set."""
    port = settings.port if port is None else port
    url = _local_url(port) if settings.origins["public_url"] == "default" else settings.public_url
    origins = dict(settings.origins) | ({"host": "--host"} if host else {}) | ({"port": "--port"} if port != settings.port else {})
    return replace(settings, host=host or settings.host, port=port, public_url=url, origins=MappingProxyType(origins))


def _toml(env: Mapping[str, str], path: Path | None, cwd: Path, problems: list[str]) -> tuple[dict[str, object], Path]:
    wanted = path or (Path(env[CONFIG]) if env.get(CONFIG) else None)
    place = cwd / (wanted or "sayso.toml")
    if wanted is None and not place.exists():
        return {}, cwd
    try:
        return tomllib.loads(place.read_text(encoding="utf-8")), place.parent
    except OSError as error:
        problems.append(f"{place} cannot be read: {error.strerror}")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{place} is not TOML: {error}")
    return {}, cwd


def _raw(env: Mapping[str, str], table: Mapping[str, object], problems: list[str]) -> dict[str, tuple[object, str]]:
    raw: dict[str, tuple[object, str]] = {}
    for key, value in table.items():
        if key in _DEFAULT:
            raw[key] = (value, f"{key} in sayso.toml")
        elif key != "brand":
            problems.append(_unknown(f"{key} in sayso.toml", key, [*_DEFAULT, "brand"]))
    known = {PREFIX + name.upper(): name for name in _DEFAULT}
    files = {variable + FILE_SUFFIX: name for variable, name in known.items()}
    for variable, text in env.items():
        if variable in known and text:
            raw[known[variable]] = (text, variable)
        elif variable.startswith(PREFIX) and variable not in known and variable not in files and variable != CONFIG:
            problems.append(_unknown(variable, variable, [*known, *files, CONFIG]))
    for variable, name in files.items():
        if env.get(variable):
            try:
                raw[name] = (Path(env[variable]).read_text(encoding="utf-8").rstrip("\r\n"), variable)
            except (OSError, UnicodeDecodeError) as error:
                problems.append(f"{variable}: {env[variable]} cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}")
    return raw


def _unknown(shown: str, word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"{shown} is not a setting" + (f": did you mean {near[0]}?" if near else ": see the settings reference")


class _Values:
    """Raw values by name, turned into typed ones; a bad one is noted and its default taken, so that all problems are found."""

    def __init__(self, raw: Mapping[str, tuple[object, str]], problems: list[str]) -> None:
        self.raw = raw
        self.problems = problems

    def get(self, name: str, parse: Callable[[object], T], default: T) -> T:
        if name not in self.raw:
            return default
        value, origin = self.raw[name]
        try:
            return parse(value)
        except ValueError as error:
            self.problems.append(f"{origin}: {error}")
            return default

    def origins(self) -> Mapping[str, str]:
        return MappingProxyType({name: self.raw[name][1] if name in self.raw else "default" for name in _DEFAULT})


def _settings(values: _Values, brands: object, *, cwd: Path, folder: Path, root: bool) -> Settings:
    get = values.get
    # A path in the file is meant from where the file lies, one in the environment from where we are.
    base = folder if values.origins()["data_dir"].endswith("sayso.toml") else cwd
    data_dir = get("data_dir", lambda raw: base / Path(form.text(raw)).expanduser(), Path("/var/lib/sayso") if root else cwd / "sayso-data")
    port = get("port", form.port, 8400)
    company = Brand(
        company=get("company", form.text, _DEFAULT["company"]),
        mail_from=get("mail_from", form.mailbox, _DEFAULT["mail_from"]),
        postal_address=get("postal_address", form.text, _DEFAULT["postal_address"]),
        privacy_url=get("privacy_url", form.url, _DEFAULT["privacy_url"]),
        embed_origins=get("embed_origins", form.origins, ()),
    )
    return Settings(
        data_dir=data_dir,
        database_url=get("database_url", form.database_url, None),
        host=get("host", form.host, _DEFAULT["host"]),
        port=port,
        public_url=get("public_url", form.url, _local_url(port)),
        mail_url=get("mail_url", lambda raw: form.mail_route(raw, data_dir), MailRoute("folder", folder=data_dir / "mail")),
        mail_from=company.mail_from,
        company=company.company,
        postal_address=company.postal_address,
        privacy_url=company.privacy_url,
        embed_origins=company.embed_origins,
        unsubscribe_mailbox=get("unsubscribe_mailbox", form.address, None),
        inbound_smtp=get("inbound_smtp", form.listener, None),
        trusted_proxies=get("trusted_proxies", form.networks, ()),
        webhook_allow=get("webhook_allow", form.networks, ()),
        conflict_window=get("conflict_window", form.window, parse_duration(_DEFAULT["conflict_window"])),
        default_country=get("default_country", form.country, None),
        rate_limit=get("rate_limit", form.number, None),
        brands=_brands(brands, company, values.problems),
        origins=values.origins(),
    )


def _brands(tables: object, company: Brand, problems: list[str]) -> Mapping[str, Brand]:
    if not isinstance(tables, dict):
        problems.append("brand in sayso.toml: write one table a brand, like [brand.outlet]")
        return MappingProxyType({})
    return MappingProxyType({key: _brand(key, table, company, problems) for key, table in tables.items()})


def _brand(key: str, table: object, company: Brand, problems: list[str]) -> Brand:
    shown = f"[brand.{key}] in sayso.toml"
    if not isinstance(table, dict):
        problems.append(f"{shown}: write a table with {', '.join(BRAND_KEYS)}")
        return company
    problems += [_unknown(f"{name} of {shown}", name, list(BRAND_KEYS)) for name in table if name not in BRAND_KEYS]
    values = _Values({name: (value, f"{name} of {shown}") for name, value in table.items()}, problems)
    return Brand(
        company=values.get("company", form.text, company.company),
        mail_from=values.get("mail_from", form.mailbox, company.mail_from),
        postal_address=values.get("postal_address", form.text, company.postal_address),
        privacy_url=values.get("privacy_url", form.url, company.privacy_url),
        embed_origins=values.get("embed_origins", form.origins, company.embed_origins),
    )


def _local_url(port: int) -> str:
    return f"http://127.0.0.1:{port}"
