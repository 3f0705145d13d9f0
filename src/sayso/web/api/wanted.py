"""What a preferences body wants: words in the order of the request, ties, whose voice, and the personal part (wire contract section 3)."""

import difflib
import ipaddress
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, JsonValue

from sayso.contracts.book import Key
from sayso.flows.record import ChangeRefused
from sayso.rules.catalogue import Catalogue
from sayso.rules.countries import COUNTRIES
from sayso.rules.statements import Choose, Locate, Suspend, Word
from sayso.rules.subjects import CONTACT
from sayso.rules.times import parse_time
from sayso.rules.values import Value
from sayso.rules.words import ANY, Method, Scope, channel_named
from sayso.web.errors import invalid
from sayso.web.reading import Strict, address_key, brand_named, escaped, fitted, one_brand

PREFIX: Final = "email_pref_"
GLOBAL: Final = "email_opt_out_global"
GOVERNING: Final = ("email_pref_update_source", "email_pref_update_reason", "email_pref_consent_ip", "email_pref_consent_method")
READ_ONLY: Final = frozenset(
    {
        "contact_id", "email_pref_last_updated", "blacklisted", "always_sent", "channels", "brands", "version", "catalogue_version",
        "address", "channel",
    }
)  # fmt: skip
RESERVED: Final = frozenset({"last_updated", "update_source", "update_reason", "consent_ip", "consent_method"})
"""Category keys that would give fields which mean something else."""

Source = Literal[
    "email_link", "preference_center", "support_request", "api", "manual", "one_click", "double_opt_in", "import", "connection"
]  # fmt: skip
ChoiceWord = Literal["opted_in", "opted_out", "not_set"]


def _address_of_net(raw: str) -> str:
    try:
        return str(ipaddress.ip_address(raw.strip()))
    except ValueError:
        raise ValueError("not an IP address, like 203.0.113.7 or 2001:db8::1") from None


def _country(raw: str) -> str:
    if raw.upper() not in COUNTRIES:
        raise ValueError("not a country: the two letters of ISO 3166, like US or DE")
    return raw.upper()


def _time(raw: str) -> str:
    parse_time(raw)
    return raw


AddressOfNet = Annotated[str, AfterValidator(_address_of_net)]
Time = Annotated[str, AfterValidator(_time), Field(json_schema_extra={"format": "date-time"})]
Channel = Annotated[
    str, Field(description="A channel in either vocabulary, any case.", examples=["sms", "MAIL"]), AfterValidator(channel_named)
]
Brand = Annotated[str, AfterValidator(brand_named)]


class AddressIn(Strict):
    """One address of the contact."""

    channel: Channel
    address: str = Field(max_length=2048)


class ChoiceIn(Strict):
    """A choice for one channel and category."""

    channel: Channel
    category: str = Field(description="A key of the catalogue, or * for all of the channel.")
    choice: ChoiceWord
    business_unit: Brand | None = None
    unit: Brand | None = Field(None, alias="businessUnit")


class PreferencesIn(Strict):
    """Any subset of preferences, with evidence. Besides these, `email_pref_<category key>` for each refusable category."""

    email_opt_out_global: bool | None = None
    paused_until: Time | None = None
    email: str | None = Field(None, max_length=2048)
    addresses: list[AddressIn] = Field(default_factory=list, max_length=50)
    choices: list[ChoiceIn] = Field(default_factory=list, max_length=500)
    email_pref_update_source: Source | None = None
    email_pref_update_reason: str | None = Field(None, max_length=2000)
    email_pref_consent_ip: AddressOfNet | None = None
    email_pref_consent_method: Method | None = None
    user_agent: str | None = Field(None, max_length=1024)
    occurred_at: Time | None = None
    business_unit: Brand | None = None
    unit: Brand | None = Field(None, alias="businessUnit")
    country: Annotated[str, AfterValidator(_country)] | None = None
    proof: Annotated[str, Field(max_length=2000)] | dict[str, JsonValue] | None = None
    metadata: dict[str, JsonValue] | None = None


_NOTHING: Final = PreferencesIn()
_NO_CHOICES: Final = frozenset({*GOVERNING, "email_pref_last_updated"})
_NULLABLE: Final = frozenset({"paused_until", "email", "country", *GOVERNING})


class Asked(Value, frozen=True):
    """One preference field of a request, in its words; `scope` is None where nothing was stated."""

    field: str
    asked: bool | str
    scope: Scope
    stated: bool = True


class Wanted(Value, frozen=True):
    """A preferences body, read. `equal` are read-only members that must be as they are, by name. What is personal stays out of the repr."""

    words: tuple[Word, ...]
    asked: tuple[Asked, ...]
    ties: tuple[tuple[Key, bool], ...]
    source: str
    method: Method | None
    reason: str | None
    given_ts: int | None
    brand: str | None
    personal: Mapping[str, Any]
    equal: Mapping[str, Any]
    refused: ChangeRefused | None = None

    def __repr__(self) -> str:
        """What was asked for, of nobody."""
        return f"Wanted({self.asked!r})"


def read_wanted(body: Mapping[str, Any], key: Key, *, catalogue: Catalogue, region: str | None, now: int, at: str = "#") -> Wanted:
    """What the body wants of the subject `key`. Raises Problem naming every part that is wrong.

    A transactional category makes `refused`: the attempt must still be logged.
    """
    named = [name for name in body if name.startswith(PREFIX) and name not in _NO_CHOICES]
    plain = {name: value for name, value in body.items() if name not in READ_ONLY and name not in named}
    nulls = [name for name, value in plain.items() if value is None and name not in _NULLABLE]
    errors = [("null says nothing; leave it out", f"{at}/{escaped(name)}") for name in nulls if name in PreferencesIn.model_fields]
    errors += [error for name in named if (error := _flaw(name, body[name], catalogue, at))]
    if errors:
        raise invalid(*errors)
    if len(named) == len(body):  # choices alone, as most are
        asked, words = _words(body, _NOTHING, named, ANY, catalogue, now, at)
        return Wanted(tuple(words), tuple(asked), (), "api", None, None, None, None, {}, {}, _refusal(asked, catalogue, at))
    given = fitted(PreferencesIn, plain, at) if plain else _NOTHING
    brand = one_brand(given.business_unit, given.unit, at)
    region = given.country or region
    ties = _ties(given, key, region, at)
    asked, words = _words(body, given, named, brand or ANY, catalogue, now, at)
    reason = given.email_pref_update_reason
    personal = {
        "reason": reason, "ip": given.email_pref_consent_ip, "user_agent": given.user_agent, "proof": given.proof, "metadata": given.metadata,
    }  # fmt: skip
    equal = {name: body[name] for name in body if name in READ_ONLY or (name in ("email", "country") and body[name] is None)}
    if key.kind != CONTACT and given.email is not None:
        equal["email"] = given.email
    refused = _refusal(asked, catalogue, at)
    given_ts = parse_time(given.occurred_at) if given.occurred_at else None
    return Wanted(
        tuple(words), tuple(asked), ties, given.email_pref_update_source or "api", given.email_pref_consent_method, reason, given_ts,
        None if brand in (None, ANY) else brand, personal, equal, refused,
    )  # fmt: skip


def _flaw(name: str, value: Any, catalogue: Catalogue, at: str) -> tuple[str, str] | None:
    key = name.removeprefix(PREFIX)
    if catalogue.get(key) is None:
        return _unknown_category(key, list(catalogue.refusable_keys), PREFIX), f"{at}/{escaped(name)}"
    if value not in ("opted_in", "opted_out", "not_set"):
        return "a choice is opted_in, opted_out or not_set", f"{at}/{escaped(name)}"
    return None


def _unknown_category(key: str, known: list[str], prefix: str) -> str:
    near = difflib.get_close_matches(key[:64], known, n=1, cutoff=0.5)
    return "no such category" + (f"; did you mean {prefix}{near[0]}?" if near else f"; the catalogue has {', '.join(known)}")


def _ties(given: PreferencesIn, key: Key, region: str | None, at: str) -> tuple[tuple[Key, bool], ...]:
    if key.kind != CONTACT:
        if given.addresses:
            raise invalid(("addresses are linked to contacts; write to a contact", f"{at}/addresses"))
        return ()
    ties: list[tuple[Key, bool]] = []
    if given.email is not None:
        ties.append((address_key("email", given.email, region, f"{at}/email")[1], True))
    for n, one in enumerate(given.addresses):
        if one.channel == ANY:
            raise invalid(("an address has one channel", f"{at}/addresses/{n}/channel"))
        ties.append((address_key(one.channel, one.address, region, f"{at}/addresses/{n}")[1], False))
    return tuple(dict(reversed(ties)).items())[::-1]


def _words(
    body: Mapping[str, Any], given: PreferencesIn, named: list[str], brand: str, catalogue: Catalogue, now: int, at: str
) -> tuple[list[Asked], list[Word]]:
    asked: list[Asked] = []
    words: list[Word] = []

    def choose(name: str, said: bool | str, scope: Scope) -> None:
        stated = said != "not_set"
        asked.append(Asked(name, said, scope, stated))
        if stated:
            words.append(Choose(scope, out=said in (True, "opted_out"), field=name))

    for name in body:
        if name == GLOBAL and given.email_opt_out_global is not None:
            choose(name, given.email_opt_out_global, Scope(brand, "email", ANY))
        elif name in named:
            choose(name, str(body[name]), Scope(brand, "email", name.removeprefix(PREFIX)))
        elif name == "choices":
            for n, one in enumerate(given.choices):
                choose(f"choices/{n}", one.choice, _scope(one, brand, catalogue, f"{at}/choices/{n}"))
        elif name == "paused_until":
            words.append(Suspend(brand, _until(given, now, at)))
        elif name == "country" and given.country:
            words.append(Locate(given.country))
    return asked, words


def _until(given: PreferencesIn, now: int, at: str) -> int | None:
    until = parse_time(given.paused_until) if given.paused_until else None
    if until is not None and until <= now:
        raise invalid(("a pause ends in the future; null ends one that runs", f"{at}/paused_until"))
    return until


def _scope(one: ChoiceIn, brand: str, catalogue: Catalogue, at: str) -> Scope:
    if one.category != ANY and catalogue.get(one.category) is None:
        raise invalid((_unknown_category(one.category, [c.key for c in catalogue.refusable], ""), f"{at}/category"))
    return Scope(one_brand(one.business_unit, one.unit, at) or brand, one.channel, one.category)


def _refusal(asked: list[Asked], catalogue: Catalogue, at: str) -> ChangeRefused | None:
    fixed = [one for one in asked if one.stated and one.scope.category in catalogue.always_sent]
    if not fixed:
        return None
    pointers = tuple(f"{at}/{one.field}" for one in fixed)
    return ChangeRefused("transactional_cannot_be_refused", "Transactional messages are always sent; nobody can choose them.", pointers)
