"""Senders: whether a message says truly who sends it, and whether answers reach somebody (H4; CAN-SPAM; DMARC's relaxed alignment).

Two domains are taken for one organisation's when they end in the same registrable name. Without the public suffix list that is a good
guess, and said as one; whether a signature is valid only a verifier with DNS can tell.
"""

import re
from email.utils import getaddresses
from typing import Final

from sayso.rules.raw_mail import Finding, RawMail, decoded
from sayso.rules.subjects import InvalidAddress, parse_address

LONGEST_HEADER: Final = 10_000
_NOBODY: Final = re.compile(
    r"^(?:no|do-?not|donot|dont)[-_.]?reply|^noreply|^(?:bitte[-_.]?)?nicht[-_.]?antworten|^keine[-_.]?antwort|^ne[-_.]?pas[-_.]?repondre"
    r"|^no[-_.]?responder|^unattended|^mailer-daemon"
)
_SECOND_LEVEL: Final = frozenset("ac co com edu gob gov net nom org or ne go".split())


def organisation(domain: str) -> str:
    """The registrable part of a domain, as far as its shape tells: ``mail.example.co.uk`` → ``example.co.uk``."""
    labels = domain.lower().rstrip(".").split(".")
    deep = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL
    return ".".join(labels[-3:] if deep else labels[-2:])


def addresses_in(values: tuple[str, ...]) -> list[tuple[str, str]]:
    """(shown name, address) of every mailbox in the values of a header; none where nobody could read them."""
    try:
        return [(decoded(name), address) for name, address in getaddresses([value[:LONGEST_HEADER] for value in values]) if name or address]
    except RecursionError:
        return []


def judge_senders(mail: RawMail) -> list[Finding]:
    """What From, Reply-To, Return-Path and the signatures say about who sends."""
    said = addresses_in(mail.all("from"))
    found = [_from(mail, said)]
    domain = said[0][1].rpartition("@")[2] if said else ""
    if not domain:
        return found
    return [*found, _reply_to(mail, domain), _return_path(mail, domain), _signed(mail, domain)]


def _from(mail: RawMail, said: list[tuple[str, str]]) -> Finding:
    name = "from"
    if len(mail.all("from")) != 1 or len(said) != 1:
        return Finding(
            name, "fail", f"{len(mail.all('from'))} From headers with {len(said)} addresses", "name exactly one sender in one From"
        )
    shown, address = said[0]
    try:
        parse_address("email", address, default_region=None)
    except InvalidAddress as invalid:
        return Finding(name, "fail", f"From holds no address: {invalid.detail}", "write it like Northwind <news@northwind.example>")
    domain = address.rpartition("@")[2]
    other = re.search(r"[\w.+-]+@([\w-]+\.[\w.-]+)", shown)
    if other and organisation(other.group(1)) != organisation(domain):
        return Finding(name, "fail", f"the name shown, {shown!r}, is an address of somebody else", "show your own name")
    if not shown.strip():
        return Finding(name, "warn", f"{address} has no name", "show the name people know you by: Northwind <news@northwind.example>")
    if _nobody(address) and not mail.all("reply-to"):
        return Finding(
            name,
            "warn",
            f"{address} takes no answers, and there is no Reply-To",
            "people answer with 'stop': give an address somebody reads",
        )
    return Finding(name, "ok", f"{shown} <{address}>")


def _reply_to(mail: RawMail, domain: str) -> Finding:
    name = "reply-to"
    if not mail.all(name):
        return Finding(name, "ok", "none: answers go to From")
    said = addresses_in(mail.all(name))
    if len(mail.all(name)) > 1 or not said:
        return Finding(name, "fail", f"{len(mail.all(name))} Reply-To headers with {len(said)} addresses", "give one, or none")
    for _, address in said:
        if _nobody(address):
            return Finding(name, "warn", f"{address} takes no answers", "people answer with 'stop': give an address somebody reads")
        if organisation(address.rpartition("@")[2]) != organisation(domain):
            return Finding(
                name, "warn", f"answers go to {address}, which is not of {organisation(domain)}", "take an address of the domain in From"
            )
    return Finding(name, "ok", ", ".join(address for _, address in said))


def _return_path(mail: RawMail, domain: str) -> Finding:
    name = "return-path"
    paths = mail.all(name)
    if not paths:
        return Finding(name, "ok", "not in this file: the receiving server writes it")
    address = paths[0].strip().strip("<>")
    if not address:
        return Finding(name, "ok", "empty: bounces of this message go nowhere")
    if organisation(address.rpartition("@")[2]) != organisation(domain):
        return Finding(
            name, "warn", f"bounces go to {address}: SPF cannot align with {organisation(domain)}, so all hangs on DKIM",
            "set up a bounce domain below your own with your mail provider",
        )  # fmt: skip
    return Finding(name, "ok", address)


def _signed(mail: RawMail, domain: str) -> Finding:
    name = "dkim alignment"
    domains = [tags["d"].lower() for tags in signatures(mail) if tags.get("d")]
    if any(organisation(one) == organisation(domain) for one in domains):
        return Finding(name, "ok", f"signed by {', '.join(domains)}")
    signed = f"signed by {', '.join(domains)}" if domains else "not signed"
    return Finding(
        name, "fail", f"{signed}, but From is {domain}: DMARC fails and mailbox providers refuse bulk mail",
        f"sign with a key of {organisation(domain)} (d={organisation(domain)})",
    )  # fmt: skip


def signatures(mail: RawMail) -> list[dict[str, str]]:
    """The tags of every DKIM signature (RFC 6376 section 3.2), white space taken out of the values."""
    found = []
    for value in mail.all("dkim-signature"):
        parts = (part.partition("=") for part in value.split(";"))
        found.append({tag.strip().lower(): re.sub(r"\s+", "", text) for tag, _, text in parts if tag.strip()})
    return found


def _nobody(address: str) -> bool:
    return bool(_NOBODY.match(address.lower()))
