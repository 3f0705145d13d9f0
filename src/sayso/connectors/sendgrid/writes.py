"""Telling SendGrid: addresses into and out of the groups that stand for categories.

The account-wide list stops transactional mail too, so it is written only for a blacklist or where the account declares
`marketing_only`. What has no place there is *cannot express*, by name, instead of a wrong place.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sayso.connectors.sendgrid.wire import Account, part
from sayso.contracts.answers import combined, judged, parsed, rows, table, text
from sayso.contracts.connector import Change, Flow, Heard, Outcome, Response, Settings

BATCH = 500
"""Addresses in one call."""

GLOBAL = "/v3/asm/suppressions/global"


@dataclass(frozen=True, slots=True)
class Wish:
    """What one change asks of the account: lists to be on, lists to be off (paths), and what has no place."""

    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    homeless: tuple[str, ...] = ()


def wish(change: Change, account: Account) -> Wish:
    """The lists a change asks for. Being on one wins over being off it, where two categories share a group."""
    wide = change.word("email", "*")
    mapped = dict(account.groups)
    on = [_group(group) for category, group in account.groups if "out" in (wide, change.word("email", category))]
    off = [_group(group) for category, group in account.groups if change.word("email", category) == "back"]
    unmapped = {one.category: one for one in change.standings if one.channel == "email" and one.category not in ("*", *mapped)}
    # an account that sends marketing only has no use for what is said about other mail
    minded = [one for one in unmapped.values() if not account.marketing_only or one.message_class in ("marketing", "*")]
    stopped = sorted(one.category for one in minded if change.word("email", one.category) == "out") if wide != "out" else []
    homeless: list[str] = []
    if change.blacklisted or (account.marketing_only and (wide == "out" or stopped)):
        on.append(GLOBAL)
    elif wide == "out" and not account.groups:
        homeless = ["all e-mail"]
    elif stopped:
        homeless = stopped
    returned = wide == "back" or (account.marketing_only and any(change.word("email", one.category) == "back" for one in minded))
    if wide != "out" and (returned or change.lifted_blacklist):
        off.append(GLOBAL)
    return Wish(tuple(dict.fromkeys(on)), tuple(one for one in dict.fromkeys(off) if one not in on), tuple(homeless))


def push(settings: Settings, changes: Sequence[Change], now: int) -> Flow[list[Outcome]]:
    """One outcome per change, in order: first everybody who leaves, list by list, then those who come back."""
    account = Account.of(settings)
    wishes = [wish(change, account) for change in changes]
    told: dict[tuple[str, str], Outcome] = {}
    for path in dict.fromkeys(path for one in wishes for path in one.on):
        who = [address for change, one in zip(changes, wishes, strict=True) if path in one.on for address in change.values("email")]
        told.update((yield from _put_on(account, path, list({address.lower(): address for address in who}.values()))))
    outcomes: list[Outcome] = []
    for change, one in zip(changes, wishes, strict=True):
        addresses = change.values("email")
        answers = [told[(path, address.lower())] for path in one.on for address in addresses]
        for path in one.off:
            for address in addresses:
                answers.append((yield from _take_off(account, path, address)))
        outcomes.append(_summed(one, addresses, answers))
    return outcomes


def read_back(settings: Settings, changes: Sequence[Change]) -> Flow[list[bool | None]]:
    """Per change whether the lists hold what was told; None where SendGrid did not answer or nothing can be compared."""
    account = Account.of(settings)
    found: list[bool | None] = []
    for change in changes:
        one = wish(change, account)
        fits: list[bool | None] = [None] if one.homeless else []
        for address in change.values("email"):
            lists = yield from _lists_of(account, address, GLOBAL in (*one.on, *one.off))
            if lists is None:
                fits.append(None)
            else:
                fits.append(lists.issuperset(one.on) and lists.isdisjoint(one.off))
        found.append(None if None in fits else all(fits))
    return found


def echo(settings: Settings, change: Change, fact: Heard) -> bool:
    """Whether a row of a suppression list is one that this change put there. Events of the person's own are never echoes."""
    account = Account.of(settings)
    if fact.own or fact.kind != "opt_out":
        return False
    if fact.event_name == "suppression.unsubscribes":
        return GLOBAL in wish(change, account).on
    groups = {_group(group) for category, group in account.groups if category == fact.category}
    return fact.event_name == "suppression.groups" and bool(groups) and groups.issubset(wish(change, account).on)


def _summed(one: Wish, addresses: Sequence[str], answers: Sequence[Outcome]) -> Outcome:
    if not addresses:
        return Outcome("already_so", "no e-mail address to tell")
    if one.homeless:
        reason = f"no unsubscribe group is mapped for {', '.join(one.homeless)}, and the account-wide list would stop all mail"
        return combined([*answers, Outcome("cannot_express", reason)])
    return combined(answers) if answers else Outcome("already_so", "never left: nothing to change")


def _group(group: int) -> str:
    return f"/v3/asm/groups/{group}/suppressions"


def _put_on(account: Account, path: str, addresses: Sequence[str]) -> Flow[dict[tuple[str, str], Outcome]]:
    outcomes: dict[tuple[str, str], Outcome] = {}
    for start in range(0, len(addresses), BATCH):
        batch = addresses[start : start + BATCH]
        response = yield account.request("POST", path, {"recipient_emails": list(batch)})
        # one malformed address fails a whole call: then each is told alone
        parts = [[address] for address in batch] if response.status == 400 and len(batch) > 1 else [batch]
        for some in parts:
            answer = (yield account.request("POST", path, {"recipient_emails": list(some)})) if len(parts) > 1 else response
            outcomes.update({(path, address.lower()): _put(answer, address, path) for address in some})
    return outcomes


def _put(response: Response, address: str, path: str) -> Outcome:
    problem = _refusal(response, path)
    if problem is not None:
        return problem
    document = parsed(response.body)
    if not isinstance(document, dict):
        return Outcome("unknown", "answered 2xx with something that is not SendGrid's JSON")
    listed = document.get("recipient_emails")
    if isinstance(listed, list) and address.lower() not in {text(one).lower() for one in listed}:
        return Outcome("unknown", "the answer does not name this address")
    return Outcome("applied", "on the account-wide list" if path == GLOBAL else f"in group {path.split('/')[4]}")


def _take_off(account: Account, path: str, address: str) -> Flow[Outcome]:
    response = yield account.request("DELETE", f"{path}/{part(address)}")
    if response.status == 404:
        return Outcome("already_so", "was not on the list")
    problem = _refusal(response, path)
    return Outcome("applied", "taken off the list") if problem is None else problem


def _refusal(response: Response, path: str) -> Outcome | None:
    if response.status == 404:
        return Outcome("refused", f"answered 404: there is no {path}; check `groups`")
    outcome = judged(response)
    if outcome is not None and outcome.kind == "refused":
        said = "; ".join(text(error.get("message")) for error in rows(table(parsed(response.body)).get("errors")))
        return Outcome("refused", f"answered {response.status}: {said[:200]}") if said else outcome
    return outcome


def _lists_of(account: Account, address: str, with_global: bool) -> Flow[set[str] | None]:
    """The paths of the lists an address is on; None when SendGrid does not say."""
    response = yield account.request("GET", f"/v3/asm/suppressions/{part(address)}")
    document = table(parsed(response.body))
    if not response.ok or "suppressions" not in document:
        return None
    lists = {
        f"/v3/asm/groups/{text(one.get('id'))}/suppressions" for one in rows(document["suppressions"]) if one.get("suppressed") is True
    }
    if with_global:
        response = yield account.request("GET", f"{GLOBAL}/{part(address)}")
        if not response.ok or not isinstance(parsed(response.body), dict):
            return None
        if text(table(parsed(response.body)).get("recipient_email")):
            lists.add(GLOBAL)
    return lists
