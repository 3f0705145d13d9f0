"""Telling Mailchimp: opt-outs as batches, ways back one by one, and never a new subscriber."""

from collections.abc import Sequence

from sayso.connectors.mailchimp.wire import Account, link
from sayso.contracts.answers import combined, judged, parsed, rows, table, text
from sayso.contracts.connector import Change, Flow, Heard, Outcome, Response, Settings, Word

BATCH = 500
"""Members in one call (the vendor's limit)."""

_BROADER = "the audience is about all marketing, so one category stopped the whole audience; set `category` to be exact"


def push(settings: Settings, changes: Sequence[Change], now: int) -> Flow[list[Outcome]]:
    """One outcome per change, in order.

    Out → `unsubscribed` (someone the audience does not know is added as unsubscribed, so that a later import cannot subscribe
    them). Back → `subscribed`, but only for a member who is unsubscribed there. Silent → nothing is asked.
    """
    account = Account.of(settings)
    words = [audience_word(change, account.category) for change in changes]
    leaving = [one for change, word in zip(changes, words, strict=True) if word == "out" for one in change.values("email")]
    left = yield from _unsubscribe(account, list({address.lower(): address for address in leaving}.values()))
    outcomes: list[Outcome] = []
    for change, word in zip(changes, words, strict=True):
        addresses = change.values("email")
        if not addresses:
            outcomes.append(Outcome("already_so", "no e-mail address to tell"))
        elif word == "silent" and not change.lifted_blacklist:
            outcomes.append(Outcome("already_so", "never left: nothing to change"))
        elif word == "out":
            broader = _broader(change, account.category)
            outcomes.append(combined([*(left[address.lower()] for address in addresses), *broader]))
        else:
            answers: list[Outcome] = []
            for address in addresses:
                answers.append((yield from _bring_back(account, address, asked=word == "back")))
            outcomes.append(combined(answers))
    return outcomes


def read_back(settings: Settings, changes: Sequence[Change]) -> Flow[list[bool | None]]:
    """Per change whether Mailchimp holds what it was told; None where it cannot be told from one look."""
    account = Account.of(settings)
    found: list[bool | None] = []
    for change in changes:
        word = audience_word(change, account.category)
        seen: list[bool | None] = []
        for address in change.values("email") if word != "silent" else ():
            response = yield account.request("GET", account.member(address), query=(("fields", "status"),))
            status = text(table(parsed(response.body)).get("status")) if response.ok else ""
            if response.status == 404:
                seen.append(word == "back")
            else:
                seen.append(None if not status else (status != "subscribed") == (word == "out"))
        found.append(None if None in seen else all(seen))
    return found


def echo(settings: Settings, change: Change, fact: Heard) -> bool:
    """Whether an `unsubscribed` that no person asked for is what this change made the audience hold."""
    unsubscribed = fact.event_name in ("member.unsubscribed", "unsubscribe") and fact.kind == "opt_out"
    return unsubscribed and not fact.own and audience_word(change, Account.of(settings).category) == "out"


def audience_word(change: Change, category: str | None) -> Word:
    """What an audience must be told.

    With a category: how that category stands. Without: the audience carries any marketing, so one marketing category that is
    out puts the whole audience out (restrictive; the outcome says so), and back only counts when nothing is out any more.
    """
    if change.blacklisted or change.word("email", "*") == "out":
        return "out"
    if category is not None:
        return change.word("email", category)
    said = {one.word for one in change.standings if one.channel == "email" and one.message_class in ("marketing", "*")}
    return "out" if "out" in said else "back" if "back" in said else "silent"


def _broader(change: Change, category: str | None) -> list[Outcome]:
    narrow = category is None and not change.blacklisted and change.word("email", "*") != "out"
    return [Outcome("already_so", _BROADER)] if narrow else []


def _unsubscribe(account: Account, addresses: Sequence[str]) -> Flow[dict[str, Outcome]]:
    """The outcome of unsubscribing, by lower-cased address."""
    outcomes: dict[str, Outcome] = {}
    for start in range(0, len(addresses), BATCH):
        part = addresses[start : start + BATCH]
        if len(part) > 1:
            members = [{"email_address": address, "status": "unsubscribed"} for address in part]
            body = {"members": members, "update_existing": True}
            response = yield account.request("POST", link("lists", account.list_id), body)
            if response.status != 400:
                outcomes.update(_batch_answer(response, part))
                continue
        # one malformed member fails a whole batch: then each is told alone
        for address in part:
            body_one = {"email_address": address, "status_if_new": "unsubscribed", "status": "unsubscribed"}
            outcomes[address.lower()] = _single_answer((yield account.request("PUT", account.member(address), body_one)), "unsubscribed")
    return outcomes


def _batch_answer(response: Response, part: Sequence[str]) -> dict[str, Outcome]:
    problem = _refusal(response, "unsubscribed")
    document = table(parsed(response.body))
    if problem is None and not document:
        problem = Outcome("unknown", "answered 2xx with something that is not Mailchimp's JSON")
    if problem is not None:
        return {address.lower(): problem for address in part}
    failed = {text(one.get("email_address")).lower(): one for one in rows(document.get("errors"))}
    listed = [*rows(document.get("new_members")), *rows(document.get("updated_members"))]
    done = {text(one.get("email_address")).lower(): text(one.get("status")) for one in listed}
    outcomes: dict[str, Outcome] = {}
    for address in part:
        key = address.lower()
        if key in failed:
            outcomes[key] = _explained(text(failed[key].get("error")), "unsubscribed")
        elif ("new_members" in document or "updated_members" in document) and done.get(key, "") not in ("unsubscribed", "cleaned"):
            outcomes[key] = Outcome("unknown", "the answer does not name this member as unsubscribed")
        else:
            outcomes[key] = Outcome("applied", "unsubscribed")
    return outcomes


def _bring_back(account: Account, address: str, *, asked: bool) -> Flow[Outcome]:
    """Subscribes a member who is unsubscribed there; whoever was never there stays away.

    Somebody who only came off the blacklist did not ask to come back (`asked`): then nothing is written.
    """
    path = account.member(address)
    response = yield account.request("GET", path, query=(("fields", "status"),))
    if response.status == 404:
        return Outcome("already_so", "not in the audience: nothing to bring back")
    problem = _refusal(response, "subscribed")
    if problem is not None:
        return problem
    status = text(table(parsed(response.body)).get("status"))
    if status == "unsubscribed" and not asked:
        return Outcome("needs_confirmation", "off the blacklist, but still unsubscribed there: nobody asked to come back")
    if status == "unsubscribed":
        return _single_answer((yield account.request("PATCH", path, {"status": "subscribed"})), "subscribed")
    if status == "cleaned":
        return Outcome("needs_confirmation", "cleaned after bounces: only the person can subscribe again, with Mailchimp's own form")
    if status in ("subscribed", "pending", "archived", "transactional"):
        return Outcome("already_so", f"is {status} there")
    return Outcome("unknown", "Mailchimp does not say how the member stands")


def _single_answer(response: Response, wanted: str) -> Outcome:
    problem = _refusal(response, wanted)
    if problem is not None:
        return problem
    document = table(parsed(response.body))
    if not document:
        return Outcome("unknown", "answered 2xx with something that is not Mailchimp's JSON")
    status = text(document.get("status"))
    if status in (wanted, ""):
        return Outcome("applied", wanted)
    if wanted == "unsubscribed" and status == "cleaned":
        return Outcome("already_so", "cleaned there: not mailable")
    return Outcome("unknown", f"answered that the member is {status[:40]}")


def _refusal(response: Response, wanted: str) -> Outcome | None:
    """What an unsuccessful answer means at Mailchimp: titles of its problem documents first, then the status."""
    outcome = judged(response)
    if outcome is None or response.status not in (400, 403, 404):
        return outcome
    document = table(parsed(response.body))
    if response.status == 403 and not document:
        return Outcome("later", "answered a bare 403: asked too often", retry_after=response.header("retry-after"))
    if response.status == 403:
        return outcome
    if response.status == 404:
        return Outcome("refused", "answered 404: there is no such audience, check list_id")
    return _explained(f"{text(document.get('title'))}: {text(document.get('detail'))}", wanted)


def _explained(words: str, wanted: str) -> Outcome:
    """The outcome that Mailchimp's words about one member stand for."""
    said = words.lower()
    if "compliance state" in said or "compliance review" in said:
        if wanted == "unsubscribed":
            return Outcome("already_so", "in a compliance state there: not mailable")
        return Outcome("needs_confirmation", "Member In Compliance State: only the person can subscribe again, with Mailchimp's own form")
    if "forgotten email" in said or "permanently deleted" in said:
        if wanted == "unsubscribed":
            return Outcome("already_so", "erased there: not mailable")
        return Outcome("needs_confirmation", "erased there: only the person can subscribe again, with Mailchimp's own form")
    return Outcome("refused", "".join(sign for sign in words if sign.isprintable())[:300].strip(": ") or "answered 400")
