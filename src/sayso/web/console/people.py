"""The page of one person, and what support does on it."""

from collections.abc import Sequence
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sayso.flows.record import Said
from sayso.web.console import acts, letters, reading
from sayso.web.console.guard import own_form
from sayso.web.console.pages import page
from sayso.web.console.parts import Console
from sayso.web.console.reading import Profile
from sayso.web.console.systems import progress_of


async def show(request: Request) -> Response:
    """GET /people?q=…: one person, or what to do when nobody is found."""
    return await _shown(request, request.query_params.get("q", "").strip(), done=request.query_params.get("done", ""))


async def act(request: Request) -> Response:
    """POST /people: does one deed, then shows the person again."""
    console: Console = request.app.state.console
    form = await own_form(request, console.form_token, console.hosts)
    query, reason = form.get("q", ""), form.get("reason", "")
    found = await reading.find(query, console)
    if found is None:
        return await _shown(request, query)
    key, read = found
    profile = await reading.profile(key, read, console)
    ground = await console.ground()
    offered = {deed.name: deed for deed in (*acts.deeds(profile, ground), *acts.switches(profile).values())}
    deed = offered.get(form.get("act", ""))
    mails = form.get("act") == letters.DEED and profile.email is not None
    if deed is None and not mails:
        return await _shown(request, query, problem="That was done meanwhile: this is how they stand now.", status=409)
    if not reason:
        return await _shown(request, query, problem="Say why: the reason goes into the ledger with the change.", status=422)
    about = Said(acts.VOICE, contact=key) if key.kind == "contact" else Said(acts.VOICE, address=key)
    if deed is None:
        recorded = await letters.mail_fresh_link(key, profile.email or "", reason, console)
    else:
        recorded = await acts.do(deed, reason, about, console)
    entry = recorded.ruling.told[0].entries[:1] if recorded.ruling and recorded.ruling.told else ()
    return RedirectResponse(f"/people?{urlencode({'q': query, 'done': ''.join(entry)})}", 303)


async def _shown(request: Request, query: str, *, done: str = "", problem: str = "", status: int = 200) -> Response:
    console: Console = request.app.state.console
    found = await reading.find(query, console) if query else None
    if found is None:
        return page(request, "nobody.html", {"q": query}, status=404 if query else 200)
    profile = await reading.profile(*found, console)
    ground = await console.ground()
    values = {
        "q": query,
        "profile": profile,
        "deeds": acts.deeds(profile, ground),
        "switches": acts.switches(profile),
        "calls": _calls(profile, acts.deeds(profile, ground)),
        "progress": await progress_of(profile.subs, console, said_by=profile.said_by),
        "done": next((moment for moment in profile.moments if moment.id == done), None),
        "problem": problem,
    }
    return page(request, "person.html", values, status=status)


def _calls(profile: Profile, offered: Sequence[acts.Deed]) -> list[tuple[str, str, str, dict[str, object] | None]]:
    """Each deed as the API call that does the same: title, method, path, body."""
    path = acts.path_of(profile)
    calls: list[tuple[str, str, str, dict[str, object] | None]] = [("Read", "GET", path, None)]
    calls += [(deed.label, "POST", path, acts.with_reason(deed.body, "")) for deed in offered]
    switch = next((one for one in profile.standings if one.category.refusable), None)
    if switch is not None:
        body = acts.with_reason({f"email_pref_{switch.category.key}": "opted_out"}, "")
        calls.append((f"Switch off “{switch.category.title}”", "POST", path, body))
    return calls
