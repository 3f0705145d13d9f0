"""Reading requests: JSON that means one thing, query parameters that exist, headers of preconditions and repeats. All else is refused."""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Query, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query as QueryParam
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from sayso.contracts.book import Key
from sayso.rules.subjects import CONTACT, InvalidAddress, parse_address, parse_contact_id
from sayso.rules.words import ANY, UnknownChannel, channel_named
from sayso.web.auth import identify
from sayso.web.errors import Problem, invalid

M = TypeVar("M", bound=BaseModel)
DEEPEST: Final = 32
LARGEST_INT: Final = 1 << 63
BRAND_LENGTH: Final = 64
PAGE: Final = 100
LARGEST_PAGE: Final = 500
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Strict(BaseModel):
    """A body of which nothing is guessed: no unknown fields, no conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


async def read_object(request: Request) -> dict[str, Any]:
    """The JSON object of a body. Raises Problem for anything that is not one, or that two readers could read differently."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise not_json()
    return object_of(await request.body())


def not_json() -> Problem:
    """The problem for a body of another kind."""
    return Problem("unsupported_media_type", "Send the body as application/json.")


def object_of(raw: bytes) -> dict[str, Any]:
    """The JSON object of these bytes. Raises Problem."""
    if b"\\" not in raw:
        try:
            quick = from_json(raw, allow_inf_nan=False)
        except ValueError:
            quick = None  # read closely, it is refused with the reason that people know
        # Every name and every text has two quotation marks. Where there are more, a name stands twice.
        if type(quick) is dict and _marks(quick, 0) == raw.count(b'"'):
            return quick
    return _closely(raw)


_CLOSELY: Final = -1 << 32


def _marks(value: Any, depth: int) -> int:
    """How many quotation marks the JSON of a plain value has; a negative number where something has to be looked at closely."""
    count, inner = 0, value
    if value.__class__ is dict:
        count, inner = 2 * len(value), value.values()
    for item in inner:
        kind = item.__class__
        if kind is str:
            count += 2
        elif kind is dict or kind is list:
            count += _marks(item, depth + 1) if depth < DEEPEST - 1 else _CLOSELY
        elif kind is float or (kind is int and not -LARGEST_INT < item < LARGEST_INT):
            return _CLOSELY
    return count


def _closely(raw: bytes) -> dict[str, Any]:
    try:
        text = raw.decode("utf-8")
        found = json.loads(text, parse_constant=_refused, parse_float=_finite, object_pairs_hook=_once)
    except UnicodeDecodeError:
        raise Problem("invalid_json", "The body is not UTF-8.") from None
    except RecursionError:
        raise Problem("invalid_json", "The body is nested too deeply.") from None
    except ValueError as error:
        raise Problem("invalid_json", f"The body is not JSON: {error}"[:300]) from None
    _walk(found, "#", 0)
    if not isinstance(found, dict):
        raise invalid(("the body must be a JSON object", "#"))
    return found


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError("a number is too large")
    return number


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _walk(value: Any, pointer: str, depth: int) -> None:
    """Refuses depth, numbers and texts that could not be kept as they are."""
    if depth > DEEPEST:
        raise Problem("invalid_json", f"The body is nested more than {DEEPEST} levels deep.")
    if isinstance(value, str):
        if not _sound(value):
            raise invalid(("a text must not hold NUL characters or lone surrogates", pointer))
    elif isinstance(value, dict):
        for name, item in value.items():
            if not _sound(name):
                raise invalid(("a name must not hold NUL characters or lone surrogates", pointer))
            _walk(item, f"{pointer}/{escaped(name)}", depth + 1)
    elif isinstance(value, list):
        for n, item in enumerate(value):
            _walk(item, f"{pointer}/{n}", depth + 1)
    elif isinstance(value, int) and abs(value) >= LARGEST_INT:
        raise invalid(("a whole number has at most 63 bits", pointer))


def _sound(text: str) -> bool:
    return "\0" not in text and (text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text))


def escaped(name: str) -> str:
    """A name as one part of a JSON Pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def fitted(model: type[M], body: Mapping[str, Any], at: str = "#") -> M:
    """The body as a value of the model. Raises Problem with a pointer for every error."""
    try:
        return model.model_validate(dict(body))
    except ValidationError as error:
        raise invalid(*pointed(error, at)) from None


def pointed(error: ValidationError, at: str = "#") -> list[tuple[str, str]]:
    """(detail, JSON pointer) of each error of a model."""
    found = []
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        path = "/".join(escaped(str(part)) for part in one["loc"])
        text = "unknown field" if one["type"] == "extra_forbidden" else str(one["msg"]).removeprefix("Value error, ")
        found.append((text, f"{at}/{path}" if path else at))
    return found


async def strict_query(request: Request) -> None:
    """Refuses query parameters that a door does not have, and those given twice: a misspelt filter must not widen an answer.

    Only for doors that need a token; who has none hears that first.
    """
    await identify(request)
    if not request.query_params:
        return
    route = request.scope.get("route")
    known = {f.alias for f in get_flat_params(route.dependant) if isinstance(f.field_info, QueryParam)} if route is not None else set()
    given = [name for name, _ in request.query_params.multi_items()]
    errors = [
        (f"unknown parameter; known are {', '.join(sorted(known)) or 'none'}", f"query/{name[:64]}") for name in given if name not in known
    ]
    errors += [("a parameter stands twice", f"query/{name}") for name in known if given.count(name) > 1]
    if errors:
        raise invalid(*errors)


def brand_named(raw: str) -> str:
    """The brand a caller means; `*` is the whole company. Raises ValueError."""
    if not 1 <= len(raw) <= BRAND_LENGTH or raw != raw.strip() or not raw.isprintable():
        raise ValueError(f"a business unit is a name of 1 to {BRAND_LENGTH} printable characters without space around it")
    return raw


def one_brand(first: str | None, second: str | None, at: str) -> str | None:
    """The brand named by either spelling of the field; None when neither is there. Raises Problem."""
    given = [raw for raw in (first, second) if raw is not None]
    try:
        named = {brand_named(raw) for raw in given}
    except ValueError as error:
        raise invalid((str(error), f"{at}/business_unit")) from None
    if len(named) > 1:
        raise invalid(("business_unit and businessUnit are the same thing and differ", f"{at}/businessUnit"))
    return named.pop() if named else None


def brand_query(
    business_unit: Annotated[str | None, Query(description="The brand; without it the whole company.")] = None,
    businessUnit: Annotated[str | None, Query(description="The same as business_unit.")] = None,  # noqa: N803  the wire's spelling
) -> str | None:
    """The brand of the query; None for the whole company."""
    brand = one_brand(business_unit, businessUnit, "query")
    return None if brand in (None, ANY) else brand


BrandQuery = Annotated[str | None, Depends(brand_query)]


def contact_key(contact_id: str, at: str = "path/contact_id") -> Key:
    """The key of a contact's row. Raises Problem."""
    try:
        value = parse_contact_id(contact_id)
    except InvalidAddress as error:
        raise invalid((error.detail, at)) from None
    return Key(CONTACT, value, value)


def address_key(channel: str, address: str, region: str | None, at: str = "path") -> tuple[str, Key]:
    """Our name of a channel and the key of an address's row. Raises Problem."""
    try:
        named = channel_named(channel)
    except UnknownChannel as error:
        raise invalid((str(error), f"{at}/channel")) from None
    try:
        found = parse_address(named, address, default_region=region)
    except InvalidAddress as error:
        raise invalid((error.detail, f"{at}/address")) from None
    return named, Key(found.kind, found.value, found.given)


def idempotency_key(request: Request) -> str | None:
    """The caller's key for repeats, quoted or bare. Raises Problem for one that cannot be kept."""
    raw = request.headers.get("idempotency-key")
    if raw is None:
        return None
    key = raw.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not 1 <= len(key) <= 255 or not key.isascii() or not key.isprintable():
        raise invalid(("an Idempotency-Key has 1 to 255 printable ASCII characters", "header/Idempotency-Key"))
    return key


def fingerprint(request: Request, body: Any) -> bytes:
    """What tells whether a repeat is the same request: method, path and meaning of the body."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(
        f"{request.method}\n{request.url.path}\n{request.url.query}\n{canonical}".encode("utf-8", "surrogatepass")
    ).digest()


def if_match(request: Request) -> int | str | None:
    """The version a write demands (`"*"`: any that exists), or None. Raises Problem for what is no such header."""
    raw = request.headers.get("if-match")
    if raw is None:
        return None
    if raw.strip() == "*":
        return "*"
    found = re.fullmatch(r'\s*(?:W/)?"(\d{1,18})"\s*', raw, re.ASCII)
    if found is None:
        raise invalid(('If-Match holds one version as ETag gave it, like "7", or *', "header/If-Match"))
    return int(found[1])


def limit_query(limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Items on a page.")] = PAGE) -> int:
    """How many items a page has."""
    return limit


def after_query(after: Annotated[str | None, Query(description="The `next` of the page before.")] = None) -> str:
    """The cursor to begin behind; "" for the start."""
    if after is not None and not _UUID.fullmatch(after):
        raise invalid(("a cursor is what `next` of the page before said", "query/after"))
    return after or ""


Limit = Annotated[int, Depends(limit_query)]
After = Annotated[str, Depends(after_query)]


def listed(items: Sequence[Any], more: str | None) -> dict[str, Any]:
    """A page of a list as the wire shows it."""
    return {"items": list(items), "next": more}
