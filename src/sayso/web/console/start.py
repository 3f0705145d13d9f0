"""The start page: the job, live."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sayso.web.console import reading
from sayso.web.console.guard import own_form
from sayso.web.console.inbox import mails
from sayso.web.console.letters import page_of
from sayso.web.console.pages import page
from sayso.web.console.parts import Console, Day
from sayso.web.console.systems import Progress, progress_of, systems

CHART_HEIGHT: Final = 64
BAR: Final = 8


@dataclass(frozen=True, slots=True)
class Tour:
    """How far the tour is: whether its person has left, the entry that says so, and how far the systems are with it.

    `page` is the path of their preference page, `mail` the name of the newest mail to them.
    """

    left: bool
    entry: str
    progress: tuple[Progress, ...]
    told: bool
    page: str = ""
    mail: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of the chart, in its own pixels."""

    x: int
    y: int
    height: int
    day: Day
    marked: bool


async def show(request: Request) -> Response:
    """GET /: everything at a glance."""
    console: Console = request.app.state.console
    ground = await console.ground()
    days = await console.guide.daily()
    values: dict[str, Any] = {
        "q": "", "tour": await tour(console), "systems": await systems(console), "seen": console.guide.seen(),
        "mails": mails(console.mail_folder), "catalogue": ground.catalogue, "bars": bars(days), "days": days,
        "size": await _size(console),
    }  # fmt: skip
    return page(request, "start.html", values)


async def unsubscribe(request: Request) -> Response:
    """POST /tour/unsubscribe: the person of the tour clicks unsubscribe in a mail of the simulated SendGrid."""
    console: Console = request.app.state.console
    await own_form(request, console.form_token, console.hosts)
    await console.guide.unsubscribe()
    return RedirectResponse("/#tour", 303)


async def live(request: Request) -> Response:
    """GET /live/{part}: one part of a page by itself, for the script that saves reloading."""
    console: Console = request.app.state.console
    match request.path_params["part"]:
        case "tour":
            return page(request, "_tour.html", {"tour": await tour(console)})
        case "mails":
            return page(request, "_mails.html", {"mails": mails(console.mail_folder)})
        case "systems":
            return page(request, "_systems.html", {"systems": await systems(console)})
        case "seen":
            return page(request, "_seen.html", {"seen": console.guide.seen()})
        case "told":
            found = await reading.find(request.query_params.get("q", ""), console)
            if found is not None:
                profile = await reading.profile(*found, console)
                progress = await progress_of(profile.subs, console, said_by=profile.said_by)
                return page(request, "_told.html", {"progress": progress})
    return page(request, "nobody.html", {"q": ""}, status=404)


async def tour(console: Console) -> Tour:
    """Where the tour stands, read from the hub itself."""
    guide = console.guide
    found = await reading.find(guide.contact_id, console)
    if found is None:
        return Tour(left=False, entry="", progress=(), told=False)
    profile = await reading.profile(*found, console)
    left = any(one.category.key == guide.category and one.said == "opted_out" for one in profile.standings)
    wanted = next((one.category.title for one in profile.standings if one.category.key == guide.category), "")
    entry = next((m.id for m in profile.moments if left and m.title == wanted and m.tone == "stop"), "")
    progress = tuple(await progress_of(profile.subs, console, said_by=profile.said_by))
    told = left and all(one.tone in ("go", "still") for one in progress)
    mail = next((one.name for one in mails(console.mail_folder) if guide.email in one.to), "")
    return Tour(left, entry, progress, told, page_of(profile, guide.category, console), mail)


async def _size(console: Console) -> int:
    signed = await console.log.newest()
    return signed.size if signed else 0


def bars(days: Sequence[Day]) -> list[Bar]:
    """The chart of opt-outs a day; the highest day is marked when it is more than three times the middle one."""
    most = max((day.count for day in days), default=0)
    if not most:
        return []
    middle = sorted(day.count for day in days)[len(days) // 2]
    shown = []
    for n, one in enumerate(days):
        height = max(1, round(one.count * CHART_HEIGHT / most)) if one.count else 0
        shown.append(Bar(n * BAR, CHART_HEIGHT - height, height, one, one.count == most and most > 3 * max(1, middle)))
    return shown
