"""How states and entries are said to people: short sentences, no codes. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sayso.contracts.book import Noted
from sayso.contracts.bursts import Burst
from sayso.rules.catalogue import Catalogue, Category
from sayso.rules.gate import Verdict
from sayso.rules.sentences import HOW, sentence
from sayso.rules.times import SECOND, format_time
from sayso.rules.words import ANY

CHANNELS: Final = {
    "email": "e-mail", "sms": "SMS", "push": "push messages", "web_push": "browser messages", "onsite": "messages on the site",
    "app": "messages in the app", "voice": "calls", "post": "letters", "social": "social media", "ads": "advertising",
}  # fmt: skip
CHOICES: Final = {"opted_in": "yes", "opted_out": "no", "not_set": "", "": ""}
RULES: Final = {
    "most_restrictive_within_window": "Said within seconds of an opt-out by another system: the opt-out wins.",
    "newer_statement_stands": "A newer statement stands.",
    "weak_opt_in_never_lifts": "An opt-in that is only inferred never lifts an opt-out.",
    "covered_by_broader_opt_out": "A broader opt-out still covers this.",
    "opt_in_from_the_future": "Its own time lies ahead of ours: set aside.",
    "spread_from_email": "Follows from the opt-out of all e-mail.",
    "opt_in_to_all": "Follows from the opt-in to everything.",
}
BLOCKS: Final = {
    "hard_bounce": "Address does not exist", "soft_bounce": "Mail came back for now", "complaint": "Reported as spam",
    "blacklist": "On the blacklist", "carrier_stop": "Stopped at the carrier", "erasing": "Wants to be forgotten", "erased": "Was forgotten",
}  # fmt: skip
EVENTS: Final = {
    "mail.open": "Opened a mail", "mail.click": "Clicked in a mail", "mail.delivered": "A mail was delivered",
    "mail.bounce": "A mail came back", "mail.complaint": "Reported a mail as spam", "mail.unsubscribe": "Clicked unsubscribe",
    "not_relevant": "Said that a message was not relevant", "support.link_mailed": "Had a fresh link to the preference page mailed",
}  # fmt: skip
LOST: Final = frozenset({"superseded", "quarantined", "refused"})
TONES: Final = {"opted_in": "go", "opted_out": "stop", "not_set": "still", "": "still"}


@dataclass(frozen=True, slots=True)
class Standing:
    """The answer a check of one category would get now; `said` is the choice that stands for it."""

    category: Category
    said: str
    verdict: Verdict
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of a timeline. `tone` is go, stop or still; `marks` are words beside the line, `ts` the time it was said."""

    id: str
    ts: int
    title: str
    tone: str
    how: str
    who: str
    old: str = ""
    new: str = ""
    reason: str = ""
    effect: str = ""
    rule: str = ""
    index: int | None = None
    quiet: bool = False
    through: str = ""
    """The id of the program or connection it came through."""
    suspected: str = ""
    """Why it looks like a machine's, "" for nearly all."""

    @property
    def lost(self) -> bool:
        """Whether something else still stands."""
        return self.effect in LOST


def standing(category: Category, said: str, verdict: Verdict, catalogue: Catalogue) -> Standing:
    """One category with the reasons in words."""
    return Standing(category, said, verdict, tuple(dict.fromkeys(sentence(reason, catalogue) for reason in verdict.reasons)))


def summary(standings: Sequence[Standing]) -> tuple[str, str]:
    """How somebody stands with e-mail, as (tone, one or two sentences)."""
    refusable = [one for one in standings if one.category.refusable]
    always = [one for one in standings if not one.category.refusable]
    blocked = [one for one in refusable if not one.verdict.allowed]
    if always and not any(one.verdict.allowed for one in always):
        return "stop", f"Nothing may be sent by e-mail, not even order confirmations. {_first(always)}"
    if not blocked:
        return "go", "Everything may be sent by e-mail."
    stopped = {"global_opt_out", "complaint", "soft_bounce_streak", "paused"}
    wide = [r for one in blocked for r in one.verdict.reasons if r.code in stopped]
    if len(blocked) == len(refusable):
        if wide or len({one.because for one in blocked}) == 1:
            return "stop", f"Only what nobody can refuse may be sent by e-mail. {_first(blocked)}"
        return "stop", "Only what nobody can refuse may be sent by e-mail."
    allowed = [one.category.title for one in refusable if one.verdict.allowed]
    because = _first(blocked) if len(blocked) == 1 else ""
    return "part", f"May get {listed(allowed)} by e-mail, but not {listed([one.category.title for one in blocked])}. {because}".strip()


def _first(blocked: Sequence[Standing]) -> str:
    return next((words for one in blocked for words in one.because), "")


def listed(names: Sequence[str]) -> str:
    """Names as people list them: a, b and c."""
    quoted = [f"“{name}”" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}" if quoted else "nothing"


def scope_words(scope: Sequence[str], catalogue: Catalogue) -> str:
    """What a scope is about."""
    brand, channel, key = scope
    category = catalogue.get(key)
    by = "" if channel == ANY else f" by {CHANNELS.get(channel, channel)}"
    what = (category.title if category else key) if key != ANY else "Everything"
    if key == ANY and channel != ANY:
        what, by = f"All {CHANNELS.get(channel, channel)}", ""
    return f"{what}{by if key != ANY and channel != 'email' else ''}{'' if brand == ANY else f' of {brand}'}"


def moment(noted: Noted, catalogue: Catalogue, names: Mapping[str, str], actors: Mapping[str, str]) -> Moment:
    """One entry as a line of a timeline; `names` are subjects by pseudonym, `actors` programs and connections by id."""
    fields, detail = noted.fields, noted.detail or {}
    x: Mapping[str, Any] = fields.get("x", {})
    kind, new, rule = str(fields["t"]), str(x.get("new", "")), str(fields.get("rule", ""))
    title, tone, old, after = noted.act, "still", "", ""
    match kind:
        case "choice":
            title, tone = scope_words(fields["scope"], catalogue), TONES.get(new, "still")
            old, after = CHOICES.get(str(x.get("old", "")), ""), CHOICES.get(new, new)
        case "block":
            title, tone = BLOCKS.get(noted.act, noted.act), "stop" if new == "set" else "go"
            old, after = ("", "") if new == "set" else ("blocked", "lifted")
        case "pause":
            until = int(x.get("until", 0))
            title, tone = (f"Pause until {format_time(until)[:10]}", "stop") if until else ("Pause ended", "go")
        case "link":
            title = f"Linked with {names.get(str(x.get('other', '')), 'an erased address')}"
        case "place":
            title = f"Country: {new}"
        case "event":
            title = EVENTS.get(noted.act, noted.act)
        case "kept":
            title, tone = "Stops that outlived forgetting", "stop"
        case "rights":
            title = "Everything held was handed out" if noted.act == "data_exported" else noted.act
    effect = str(fields["effect"])
    return Moment(
        noted.id, int(fields["ts"]), title, tone if effect not in LOST else "still",
        HOW.get(str(fields["src"]), str(fields["src"])), actor(str(fields["by"]), str(fields["via"]), actors), old, after,
        str(detail.get("reason") or ""), "" if effect in ("applied", "stored") else effect, RULES.get(rule, rule.replace("_", " ")),
        noted.index, kind in ("link", "place") or effect == "unchanged" or rule in ("spread_from_email", "opt_in_to_all"),
        program(str(fields["via"])),
    )  # fmt: skip


def suspicion(burst: Burst) -> str:
    """Why an opt-out of this burst looks like a machine's."""
    where = "one network" if burst.networks == 1 else "one mail host" if burst.hosts == 1 else "a few networks"
    agents = "one browser" if burst.agents == 1 else f"{burst.agents} browsers"
    soon = f", {seconds(burst.median)} after a mail" if burst.median is not None else ""
    asked = " They were asked whether it was meant." if burst.offered else ""
    return (
        f"Suspected to be a machine's: {burst.people} people from {where} with {agents}{soon}. It was honoured at once all the same.{asked}"
    )


def seconds(after: int) -> str:
    """A time since delivery as people say it."""
    count = max(1, round(after / SECOND))
    return f"{count} second{'' if count == 1 else 's'}"


def actor(by: str, via: str, actors: Mapping[str, str]) -> str:
    """Who said it, and through which program."""
    through = actors.get(program(via), "")
    if program(via) == "console":
        return "for the person"
    if by.startswith("p:"):
        return f"the person, by way of {through}" if through else "the person"
    return actors.get(program(by), program(by))


def program(name: str) -> str:
    """The id of the client or connection in an actor's or door's name such as ``c:crm:api``."""
    kind, _, rest = name.partition(":")
    return rest.partition(":")[0].partition("/")[0] if kind in ("c", "k") else name.partition("/")[0]
