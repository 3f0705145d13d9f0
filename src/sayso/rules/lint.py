"""Lint: what a message lacks before it may be sent to many (S10): a way out that works, that is signed, and that people can see.

Sources: RFC 2369, RFC 8058, the rules of mailbox providers (standards sections 1 and 3), CAN-SPAM's postal address. Each finding says how
to mend it. Nothing is fetched: whether a foreign link works, and whether a signature is valid, is not looked at.
"""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from sayso.rules.headers import LIST_UNSUBSCRIBE, LIST_UNSUBSCRIBE_POST, ONE_CLICK, listed_uris
from sayso.rules.raw_mail import Anchor, Body, Finding, RawMail
from sayso.rules.senders import judge_senders, signatures
from sayso.rules.tokens import BadToken, Link, Ring, read, read_link
from sayso.rules.words import ANY

COVERED: Final = ("list-unsubscribe", "list-unsubscribe-post")
_WAY_OUT: Final = re.compile(
    r"unsubscrib|opt[\s_-]?out|preferences|stop receiving|abmeld|abbestell|austragen|d[ée]sabonn|d[ée]sinscri|darse de baja|dar(?:me)? de baja"
    r"|cancelar (?:la |mi )?suscripci|desuscrib|disiscri|afmeld|uitschrijv|إلغاء الاشتراك|配信停止|отпис",
    re.IGNORECASE,
)
_PLACE: Final = re.compile(
    r"(?i:p\.?\s?o\.?\s?box\s+\d|\bpostfach\s+\d)|\b[A-Z]{2}\s+\d{5}(?:-\d{4})?\b|\b[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}\b"
    r"|\b(?!(?:19|20)\d\d\b)\d{4,6}\s+[A-ZÄÖÜÀ-Þ][a-zß-ÿ]"
    r"|(?i:\b\d{1,5}[a-z]?,?\s+(?:[\w.'’-]{1,40}\s+){1,4}(?:street|st|road|rd|avenue|ave|way|lane|ln|drive|dr|boulevard|blvd|square|place)\b)"
    r"|(?i:\b\d{1,5},?\s+(?:bis\s+|ter\s+)?(?:rue|avenue|boulevard|place|allée|chemin|quai|impasse)\s)"
    r"|(?i:\b(?:calle|via|avenida|plaza|paseo)\s+(?:[\w.'’-]{1,40}\s+){1,5}\d)|(?i:\b[\w'’.-]{0,40}(?:stra(?:ß|ss)e|str\.|weg|platz|allee|gasse)\s+\d)"
)


@dataclass(frozen=True, slots=True)
class Known:
    """What the hub knows and a message is compared with. `ring` None: its own links cannot be opened here.

    `transactional` says that nobody can refuse this message, so that it needs no way out.
    """

    public_url: str = ""
    ring: Ring | None = field(default=None, repr=False)
    postal_addresses: tuple[str, ...] = ()
    transactional: bool = False


def lint(mail: RawMail, known: Known) -> list[Finding]:
    """Everything that was looked at, in the order of a message: headers, signature, body, sender."""
    found: list[Finding] = []
    if known.transactional and not mail.all(LIST_UNSUBSCRIBE):
        found.append(Finding("list-unsubscribe", "ok", "not needed: transactional"))
    else:
        uris = [uri for value in mail.all(LIST_UNSUBSCRIBE) for uri in listed_uris(value)]
        found += [_list_unsubscribe(mail, uris), _post(mail), *_one_click(uris, known), _mailto(uris), _covered(mail)]
        found += _ways_out(mail, uris, known)
    return [*found, _postal(mail, known), *judge_senders(mail), *_basics(mail)]


def _list_unsubscribe(mail: RawMail, uris: list[str]) -> Finding:
    name, headers = "list-unsubscribe", mail.all(LIST_UNSUBSCRIBE)
    if len(headers) != 1:
        many = "is missing" if not headers else f"stands {len(headers)} times"
        return Finding(name, "fail", f"{LIST_UNSUBSCRIBE} {many}", "POST /api/v2/links gives the header; write it once")
    https = [uri for uri in uris if uri.lower().startswith("https://")]
    if not https:
        plain = any(uri.lower().startswith("http://") for uri in uris)
        detail = "its link is http: mailbox providers ignore it" if plain else "it has no https link in angle brackets"
        return Finding(name, "fail", detail, f"{LIST_UNSUBSCRIBE}: <https://…>, <mailto:…> (set SAYSO_PUBLIC_URL to https)")
    if len(https) > 1:
        return Finding(name, "warn", f"{len(https)} https links: readers take the first", "leave one (RFC 8058 section 3.1)")
    return Finding(name, "ok", "once, with an https link")


def _post(mail: RawMail) -> Finding:
    name, values = "list-unsubscribe-post", mail.all(LIST_UNSUBSCRIBE_POST)
    mend = f"{LIST_UNSUBSCRIBE_POST}: {ONE_CLICK}"
    if len(values) != 1:
        return Finding(name, "fail", f"{LIST_UNSUBSCRIBE_POST} {'is missing' if not values else f'stands {len(values)} times'}", mend)
    if values[0] != ONE_CLICK:
        return Finding(name, "fail", f"it says {values[0][:60]!r}", mend)
    return Finding(name, "ok", "once, as RFC 8058 words it")


def _one_click(uris: list[str], known: Known) -> list[Finding]:
    """Where the one-click link leads; nothing where there is none."""
    name = "one-click link"
    uri = next((uri for uri in uris if uri.lower().startswith("https://")), next((u for u in uris if u.lower().startswith("http")), None))
    if uri is None:
        return []
    base = known.public_url
    if base and uri.startswith(base + "/"):
        path = uri.removeprefix(base)
        if not path.startswith("/u/"):
            return [
                Finding(name, "fail", f"it leads to {path.split('/')[1]!r}, where a POST of one click means nothing", "use unsubscribe_url")
            ]
        return [_own(name, path.removeprefix("/u/"), known.ring)]
    if not _host(uri):
        return [Finding(name, "fail", f"{uri[:80]!r} names no host", "write the whole address, with https:// and host")]
    if "@" in uri or "%40" in uri.lower():
        return [Finding(name, "warn", "it holds an e-mail address, which then stands in logs", "use an opaque token: POST /api/v2/links")]
    return [
        Finding(
            name, "warn", f"it leads to {_host(uri)}, not to this hub: an opt-out is known there first",
            "use unsubscribe_url, or connect that system so that its opt-outs come here",
        )
    ]  # fmt: skip


def _own(name: str, text: str, ring: Ring | None) -> Finding:
    """What a link of this hub stands for, as far as its keys are here."""
    if ring is None:
        return Finding(name, "ok", "leads to this hub; its keys are not here, so the token was not opened")
    try:
        link: Link = read_link(read(ring, text, kinds=("link", "fresh_link"), now=0))
    except BadToken as bad:
        return Finding(
            name, "fail", f"its token does not open here ({bad.reason})", "take it unchanged from POST /api/v2/links of this hub"
        )
    scope = link.scope
    what = "all mail" if scope.category == ANY else f"{scope.category} mail"
    brand = "" if scope.brand == ANY else f" of {scope.brand}"
    if scope.channel != "email":
        return Finding(name, "warn", f"it stops {what}{brand} on {scope.channel}, in a mail", "ask for links of the channel email")
    return Finding(name, "ok", f"one click stops {what}{brand}")


def _mailto(uris: list[str]) -> Finding:
    if any(uri.lower().startswith("mailto:") and "@" in uri for uri in uris):
        return Finding("mailto", "ok", "there is a mailto half")
    return Finding(
        "mailto",
        "warn",
        "no mailto half: some mail programs show no button then",
        "set SAYSO_UNSUBSCRIBE_MAILBOX; the header then has both",
    )


def _covered(mail: RawMail) -> Finding:
    name = "dkim coverage"
    signed = signatures(mail)
    mend = "name list-unsubscribe and list-unsubscribe-post in the signer's list of headers (h=); your mail provider has a setting for it"
    if not signed:
        return Finding(name, "fail", "there is no DKIM signature: one click counts only when it is signed", "sign with DKIM, and " + mend)
    missing = min(([one for one in (*COVERED, "from") if one not in _covers(tags)] for tags in signed), key=len)
    if missing:
        return Finding(name, "fail", f"no signature covers {' and '.join(missing)}", mend)
    if all("l" in tags for tags in signed):
        return Finding(name, "warn", "l= signs only the beginning of the body: anything can be put behind it", "sign without l=")
    return Finding(name, "ok", "both headers are signed (whether validly, a receiver tells)")


def _covers(tags: dict[str, str]) -> set[str]:
    return {one.lower() for one in tags.get("h", "").split(":")} if tags.get("b") and tags.get("bh") else set()


def _ways_out(mail: RawMail, uris: list[str], known: Known) -> list[Finding]:
    """Whether each body shows a link by which people stop the mail."""
    name = "visible link"
    mend = "put unsubscribe_url where people see it; the `footer` of POST /api/v2/links has it"
    if not mail.bodies:
        return [Finding(name, "fail", "the message has no text that people could read", mend)]
    found = []
    for kind, body in (("html", mail.html), ("plain", mail.plain)):
        if body is None:
            continue
        links = [one for one in body.anchors if _leads_out(one, uris, known)]
        if any(not one.hidden for one in links):
            found.append(Finding(f"{name} ({kind})", "ok", "people can see how to stop it"))
        elif links:
            found.append(Finding(f"{name} ({kind})", "fail", "the link is hidden by its style", mend))
        else:
            main = kind == "html" or mail.html is None
            found.append(Finding(f"{name} ({kind})", "fail" if main else "warn", "no link to unsubscribe in this part", mend))
    return found


def _leads_out(anchor: Anchor, uris: list[str], known: Known) -> bool:
    url = anchor.url
    if not re.match(r"https?://[^/\s]|mailto:[^@\s]+@", url, re.IGNORECASE):
        return False
    own = known.public_url and url.startswith((f"{known.public_url}/u/", f"{known.public_url}/preferences/"))
    return bool(own) or url in uris or bool(_WAY_OUT.search(anchor.words) or _WAY_OUT.search(url))


def _postal(mail: RawMail, known: Known) -> Finding:
    name = "postal address"
    texts = [_collapsed(body.words) for body in mail.bodies]
    if any(_collapsed(place) in text for place in known.postal_addresses for text in texts):
        return Finding(name, "ok", "as in the settings")
    looks = next((found.group().strip() for body in mail.bodies if (found := _address(body))), "")
    if looks:
        return Finding(
            name, "warn", f"there seems to be one ({looks[:60]!r}), but not that of the settings", "compare it with SAYSO_POSTAL_ADDRESS"
        )
    return Finding(
        name, "warn" if known.transactional else "fail", "none was found: CAN-SPAM and other laws ask for one",
        "add SAYSO_POSTAL_ADDRESS to the footer",
    )  # fmt: skip


def _address(body: Body) -> "re.Match[str] | None":
    # It stands at the end; a long text before it has many numbers.
    return _PLACE.search(re.sub(r"https?://\S+", " ", body.words[-20_000:]))


def _collapsed(text: str) -> str:
    return re.sub(r"[\s,]+", " ", text).strip().casefold()


def _basics(mail: RawMail) -> list[Finding]:
    """Headers that every message has once, and a subject that is true."""
    wrong = [header for header in ("Date", "Message-ID", "Subject") if len(mail.all(header)) != 1]
    if wrong:
        return [Finding("basics", "warn", f"{', '.join(wrong)}: missing, or more than once", "write each once")]
    if re.match(r"\s*(?:re|aw|fw|fwd|wg|tr|rv)\s*:", mail.all("subject")[0], re.IGNORECASE) and not mail.all("in-reply-to"):
        return [Finding("basics", "fail", "the subject pretends to be an answer or a forwarded mail", "say what the message is about")]
    return [Finding("basics", "ok", "Date, Message-ID and Subject stand once")]


def _host(uri: str) -> str:
    try:
        return urlsplit(uri).hostname or ""
    except ValueError:
        return ""
