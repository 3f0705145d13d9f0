"""People's own doors by their paths. Fixed names stand before those with a token."""

from fastapi import APIRouter

from sayso.web.center import confirming, data, lost, one_click, preferences, undoing, whys
from sayso.web.center.doors import METHODS, guarded


def center_router() -> APIRouter:
    """The router of all of them."""
    router = APIRouter(include_in_schema=False)
    doors = (
        ("/u/{token}", one_click.unsubscribe_door),
        ("/preferences/link", lost.link_door),
        ("/preferences/logo/{name}", lost.logo_door),
        ("/preferences/{token}", preferences.page_door),
        ("/preferences/{token}/form", preferences.embedded_door),
        ("/preferences/{token}/data", data.data_door),
        ("/undo/{token}", undoing.undo_door),
        ("/confirm/{token}", confirming.confirm_door),
        ("/why/{token}", whys.why_door),
    )
    for path, handle in doors:
        router.add_route(path, guarded(handle), methods=list(METHODS))
    return router
