"""How requests to Mailchimp are written: address, sign-in, member ids."""

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from sayso.contracts.connector import BadSettings, Request, Settings

_DATA_CENTRE = re.compile(r"-([a-z]{2,3}\d{1,3})$")


@dataclass(frozen=True, slots=True)
class Account:
    """Where and as whom to ask, and what the audience is about (None: all marketing)."""

    base: str
    list_id: str
    category: str | None
    authorization: str = field(repr=False)

    @staticmethod
    def of(settings: Settings) -> "Account":
        """The account the settings describe; the data centre comes from the end of the key. Raises BadSettings."""
        key = settings.text("api_key")
        base = settings.text("base_url", "")
        if not base:
            centre = _DATA_CENTRE.search(key)
            if centre is None:
                raise BadSettings("api_key", "ends in a data centre such as -us21; copy the whole key")
            base = f"https://{centre[1]}.api.mailchimp.com/3.0"
        token = base64.b64encode(f"sayso:{key}".encode()).decode()
        return Account(base.rstrip("/"), settings.text("list_id"), settings.text("category", "") or None, f"Basic {token}")

    def request(self, method: str, path: str, body: object = None, query: tuple[tuple[str, str], ...] = ()) -> Request:
        """One signed-in request; a body is sent as JSON."""
        url = f"{self.base}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = (("authorization", self.authorization), ("accept", "application/json"))
        if body is None:
            return Request(method, url, headers, max_answer=8 * 1_048_576)
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        return Request(method, url, (*headers, ("content-type", "application/json")), content, max_answer=8 * 1_048_576)

    def member(self, address: str) -> str:
        """The path of one member: the md5 of the lower-cased address names it."""
        return link("lists", self.list_id, "members", hashlib.md5(address.lower().encode(), usedforsecurity=False).hexdigest())


def link(*parts: str) -> str:
    """A path of percent-encoded parts."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)
