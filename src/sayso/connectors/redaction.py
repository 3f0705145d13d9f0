"""What the attempt log may keep of a request and its answer: secrets replaced, bodies cut."""

import base64
import json
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, quote_plus

from sayso.contracts.connector import Headers, Request

MARK = "[redacted]"
EXCERPT = 2_048
"""Characters of a body that are kept."""

_READ = 65_536
_HEADERS = 40
_HEADER_LENGTH = 500
_ALWAYS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "api-key", "x-api-key", "x-auth-token", "x-postmark-server-token"}
)


def secrets_of(request: Request, configured: Iterable[str]) -> tuple[str, ...]:
    """Every spelling under which a secret could show: as it is, percent-encoded, in JSON, in base64; longest first.

    Besides the configured ones: the request's own and whatever its signing-in headers carry (a vendor may echo those).
    """
    plain = {*configured, *request.secrets}
    for name, value in request.headers:
        if name.lower() in _ALWAYS:
            plain.update((value, value.rpartition(" ")[2]))
    return _spelled(frozenset(plain - {""}))


@lru_cache(maxsize=128)
def _spelled(plain: frozenset[str]) -> tuple[str, ...]:
    """The spellings of some secrets; every request of a connection has the same."""
    spelled: set[str] = set()
    for secret in plain:
        encoded = base64.b64encode(secret.encode()).decode()
        spelled.update(
            (secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], encoded, encoded.rstrip("="))
        )
    return tuple(sorted(spelled, key=len, reverse=True))


def clean(line: str, secrets: Iterable[str]) -> str:
    """The text with each secret replaced by a mark."""
    for secret in secrets:
        line = line.replace(secret, MARK)
    return line


def excerpt(body: bytes, secrets: Iterable[str]) -> str:
    """The beginning of a body as text without secrets. Cleaned before it is cut, so that no half of a secret stays."""
    return clean(body[:_READ].decode("utf-8", "replace"), secrets)[:EXCERPT]


def clean_headers(headers: Headers, secrets: Iterable[str]) -> Headers:
    """The headers without secrets; those that sign in or set cookies lose their whole value. At most forty, each cut."""
    known = tuple(secrets)
    return tuple(
        (name[:_HEADER_LENGTH], MARK if name.lower() in _ALWAYS else clean(value, known)[:_HEADER_LENGTH])
        for name, value in headers[:_HEADERS]
    )
