"""What support can do on a person's page, each with the API call that does the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from sayso.contracts.ground import Ground
from sayso.flows.record import Recorded, Said, record
from sayso.rules.statements import Choose, Suspend, Voice, Word
from sayso.rules.times import DAY, format_time
from sayso.rules.words import ANY, Scope
from sayso.web.console.parts import Console
from sayso.web.console.reading import Profile

PAUSE_DAYS: Final = 30
SOURCE: Final = "support_request"
VOICE: Final = Voice(SOURCE, own=True, actor="", via="c:console")
"""Support acts at the person's request and says why: the person's own voice."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that can be done: its name in the form, its button, what is recorded, and the body of the API call."""

    name: str
    label: str
    word: Word
    body: Mapping[str, Any]
    tone: str = ""


def deeds(profile: Profile, ground: Ground) -> tuple[Deed, ...]:
    """What fits this person now: the buttons over the whole, then one switch for each category."""
    everything = Scope(ANY, ANY, ANY)
    until = (ground.clock() // DAY + PAUSE_DAYS + 1) * DAY
    found = []
    if profile.stopped:
        found.append(_choice("allow", "Undo: stop all", everything, out=False))
    else:
        found.append(_choice("stop", "Stop all", everything, out=True, tone="stop"))
    if profile.paused_until:
        found.append(Deed("resume", "Resume", Suspend(ANY, None), {"paused_until": None}))
    else:
        found.append(Deed("pause", f"Pause {PAUSE_DAYS} days", Suspend(ANY, until), {"paused_until": format_time(until)}))
    if any(channel.out and channel.name == "email" for channel in profile.channels) and not profile.stopped:
        word = Choose(Scope(ANY, "email", ANY), out=False, field="email_opt_out_global")
        found.append(Deed("mail", "Undo: stop e-mail", word, {"email_opt_out_global": False}))
    return tuple(found)


def switches(profile: Profile) -> Mapping[str, Deed]:
    """By category: the one switch that changes what was said about it."""
    found = {}
    for one in profile.standings:
        key = one.category.key
        if one.category.refusable:
            out = one.said != "opted_out"
            name = f"email_pref_{key}"
            word = Choose(Scope(ANY, "email", key), out=out, field=name)
            body = {name: "opted_out" if out else "opted_in"}
            found[key] = Deed(f"{'off' if out else 'on'}:{key}", "Switch off" if out else "Switch on", word, body)
    return found


def with_reason(body: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """The body of the API call as support sends it."""
    return {**body, "email_pref_update_source": SOURCE, "email_pref_update_reason": reason or "asked on the phone"}


def path_of(profile: Profile) -> str:
    """The API path of a person's preferences."""
    if profile.contact_id is not None:
        return f"/api/v2/contacts/{quote(profile.contact_id, safe='')}/email_preferences"
    kind, value = profile.addresses[0]
    return f"/api/v2/addresses/{'sms' if kind == 'phone' else kind}/{quote(value, safe='')}/preferences"


async def do(deed: Deed, reason: str, said_about: Said, console: Console) -> Recorded:
    """What became of a deed."""
    said = Said(VOICE, (deed.word,), said_about.contact, said_about.address, personal={"reason": reason})
    return await record(said, book=console.book, ground=await console.ground())


def _choice(name: str, label: str, scope: Scope, *, out: bool, tone: str = "") -> Deed:
    choice = {"channel": "ALL", "category": "*", "choice": "opted_out" if out else "opted_in"}
    return Deed(name, label, Choose(scope, out=out), {"choices": [choice]}, tone)
