"""How requests to SendGrid are written: address and sign-in."""

import json
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from sayso.contracts.connector import Request, Settings

MAX_ANSWER = 32 * 1_048_576
"""Bytes of one suppression list; the group list has no pages."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where and as whom to ask, and what the account's groups stand for."""

    base: str
    groups: tuple[tuple[str, int], ...]
    marketing_only: bool
    authorization: str = field(repr=False)

    @staticmethod
    def of(settings: Settings) -> "Account":
        """The account the settings describe; raises BadSettings."""
        base = settings.text("base_url", "https://api.sendgrid.com").rstrip("/")
        key = settings.text("api_key")
        return Account(base, settings.numbers("groups"), settings.flag("marketing_only"), f"Bearer {key}")

    def request(self, method: str, path: str, body: object = None, query: tuple[tuple[str, str], ...] = ()) -> Request:
        """One signed-in request; a body is sent as JSON."""
        url = f"{self.base}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = (("authorization", self.authorization), ("accept", "application/json"))
        if body is None:
            return Request(method, url, headers, max_answer=MAX_ANSWER)
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        return Request(method, url, (*headers, ("content-type", "application/json")), content)

    def category_of(self, group: str) -> str | None:
        """The category a group stands for; None where it is not mapped (or stands for several)."""
        found = [category for category, number in self.groups if str(number) == group]
        return found[0] if len(found) == 1 else None


def part(text: str) -> str:
    """One percent-encoded part of a path."""
    return quote(text, safe="")
