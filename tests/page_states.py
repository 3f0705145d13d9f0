"""Every state that people's own pages can be in, as values: what their templates are drawn with in tests and pictures."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.responses import Response

from sayso.contracts.center import Always, Choosable, Chosen, Look, Mailed, Past, Presented, System, Undone, Why
from sayso.rules.catalogue import DEFAULT
from sayso.rules.times import DAY
from sayso.web.center.draw import page
from sayso.web.center.render import LANGUAGES, Texts, render_page

AT = 1_795_340_520_000_000
"""22 November 2026, 09:42 UTC."""
ON = {"product_updates", "educational", "promotional"}
TOKEN = "1.k1." + "T" * 160 + "." + "M" * 22
LINKS = {
    "save": f"/preferences/{TOKEN}", "page": f"/preferences/{TOKEN}", "why": f"/why/{TOKEN}", "fresh": "/preferences/link", "data": f"/preferences/{TOKEN}/data",
    "forget": f"/preferences/{TOKEN}/data", "undo": "", "confirm": "",
}  # fmt: skip

ADA = Presented(
    brand="*",
    company="Northwind Outfitters",
    masked="a•••@e•••.com",
    language="en",
    fresh=False,
    gone=False,
    version=7,
    categories=tuple(Choosable(c.key, c.title, c.sends, c.often, c.key in ON, "not_set") for c in DEFAULT.refusable),
    always=tuple(Always(c.key, c.title, c.sends, c.reason) for c in DEFAULT.categories if not c.refusable),
    stopped_all=False,
    paused_until=None,
    systems=(System("Mailchimp", "told", AT, 142), System("SendGrid", "waiting"), System("Shop", "cannot")),
    privacy_url="https://northwind.example/privacy",
    postal_address="1 Harbour Way, Example City",
)
HISTORY = tuple(
    Past(AT - n * DAY, about, "", new, source, f"K7QX-4M{n:02}")
    for n, (about, new, source) in enumerate(
        [("promotional", "opted_out", "one_click"), ("pause", str(AT + 30 * DAY), "preference_center"), ("*", "opted_out", "support_request"),
         ("pause", "", "preference_center"), ("events", "opted_in", "double_opt_in")] * 20
    )
)  # fmt: skip
MAILED = tuple(Mailed(AT - n * DAY, "promotional", f"Spring is here: {n + 5} % off tents", "spring-26") for n in range(50))
OWNER = replace(ADA, fresh=True, history=HISTORY, mailed=MAILED)


def _with(presented: Presented, **by_key: Mapping[str, Any]) -> Presented:
    return replace(presented, categories=tuple(replace(one, **by_key.get(one.key, {})) for one in presented.categories))


OUTLET = replace(
    _with(OWNER, events={"pending": True}, product_updates={"except_brands": ("outlet", "north")}),
    brand="outlet", company="Outlet by Northwind", paused_until=AT + 30 * DAY,
    held=("blacklisted", "carrier_stop", "complaint", "hard_bounce", "soft_bounce_streak"),
)  # fmt: skip
STOPPED = replace(_with(ADA, **{key: {"on": False} for key in ON}), stopped_all=True)
WITHOUT_PROMOTIONS = _with(ADA, promotional={"on": False})
PROMOTIONAL = next(one for one in ADA.categories if one.key == "promotional")
WHY = Why(
    "Spring is here: 20 % off tents", AT, "spring-26", "promotional", "Offers and news", "opted_in", AT - 90 * DAY, "preference_center",
    "M3KD-77QA", "chk_019", "Germany", True,
)  # fmt: skip


def chosen(*changed: str, **more: Any) -> Chosen:
    """What became of a wish that changed these."""
    return Chosen(AT, "K7QX-4M2P", ("e",), changed, **{"undo": "U", **more})


@dataclass(frozen=True, slots=True)
class State:
    """One page in one state: the template's name, who it shows, and the values beside."""

    name: str
    presented: Presented | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    def draw(self, language: str = "en", *, own: Mapping[str, str] | None = None, **more: Any) -> str:
        """The page."""
        return render_page(self.name, self.presented, self._all(more), Texts(language, own or {}))

    def answer(self, language: str = "en", *, own: Mapping[str, str] | None = None, **more: Any) -> Response:
        """The page as its door answers it, with all headers."""
        return page(self.name, self.presented, self._all(more), Texts(language, own or {}))

    def _all(self, more: Mapping[str, Any]) -> Mapping[str, Any]:
        languages = [(code, f"?lang={code}") for code in LANGUAGES]
        return {"links": LINKS, "form": "F" * 90, "reason_form": "R" * 120, "languages": languages, **self.values, **more}


STATES: Mapping[str, State] = {
    "preferences": State("preferences", ADA),
    "preferences-fresh": State("preferences", OWNER),
    "preferences-brand": State("preferences", OUTLET),
    "preferences-stopped": State("preferences", STOPPED),
    "preferences-error": State(
        "preferences", ADA,
        {"errors": (("pause_date", "error_pause_date"),), "given": {"pause": "date", "pause_date": "soon"}, "kept": ("events",)},
    ),
    "preferences-stale": State("preferences", ADA, {"errors": (("form", "error_stale"), ("pause", "error_never_heard_of"))}),
    "preferences-form": State("preferences", ADA, {"embedded": True}),
    "preferences-sms": State("preferences", replace(ADA, channel="sms", masked="+1 •••• 0142")),
    "saved": State("saved", WITHOUT_PROMOTIONS, {"chosen": chosen("promotional", "product_updates"), "undo_url": "/undo/U"}),
    "saved-stopped": State("saved", STOPPED, {"chosen": chosen("*"), "undo_url": "/undo/U", "undo_form": "U" * 90}),
    "saved-asked": State(
        "saved", replace(ADA, paused_until=AT + 30 * DAY),
        {"chosen": chosen("pause", "", to_confirm=("events",), refused=("educational",)), "undo_url": "/undo/U"},
    ),
    "saved-resumed": State("saved", ADA, {"chosen": chosen("pause"), "undo_url": "/undo/U", "embedded": True}),
    "saved-same": State("saved", ADA, {"chosen": chosen(undo="")}),
    "saved-thanks": State("saved", ADA, {"thanked": True}),
    "saved-no-reason": State("saved", ADA),
    "one_button": State("one_button", ADA, {"category": PROMOTIONAL}),
    "one_button-all": State("one_button", ADA),
    "one_button-off": State("one_button", STOPPED, {"category": replace(PROMOTIONAL, on=False)}),
    "one_button-all-off": State("one_button", STOPPED),
    "why": State("why", ADA, {"why": WHY, "category": PROMOTIONAL}),
    "why-off": State("why", STOPPED, {"why": replace(WHY, code="allowed_by_regime"), "category": replace(PROMOTIONAL, on=False), "thanked": True}),
    "why-always": State("why", ADA, {"why": replace(WHY, category="legal_notices", code="transactional", refusable=False, source="", reference="")}),
    "why-undated": State("why", ADA, {"why": replace(WHY, said_at=None), "category": PROMOTIONAL}),
    "why-soft": State("why", OUTLET, {"why": replace(WHY, code="soft_opt_in"), "category": PROMOTIONAL}),
    "why-unknown": State("why", ADA, {"why": Why("", None, "", "", "", "", None, "", "", "", "", True), "errors": (("form", "error_stale"),)}),
    "undo": State("undo", None, {"undo_url": "/undo/U"}),
    "undo-over": State("undo", None, {"expired": True}),
    "undone": State("undone", None, {"undone": Undone(AT, "B2RT-91XC", ("promotional", "*"), ("events",))}),
    "undone-before": State("undone", None, {"undone": Undone(AT, "", (), ())}),
    "confirm": State("confirm", None, {"asked": ("promotional", "pets"), "named": {"pets": "Pets"}, "company": "Northwind Outfitters"}),
    "confirm-over": State("confirm", None, {"asked": ("promotional",), "expired": True}),
    "confirmed": State("confirmed", None, {"asked": ("promotional", "events"), "company": "Northwind Outfitters"}),
    "confirmed-over": State("confirmed", None, {"asked": ("promotional",), "expired": True}),
    "link": State("link", None, {"company": "Northwind Outfitters", "privacy_url": "https://northwind.example/privacy"}),
    "link-error": State("link", None, {"errors": (("email", "error_email"),), "given": {"email": "ada@"}}),
    "link_sent": State("link_sent", None, {"company": "Northwind Outfitters"}),
    "gone": State("gone", replace(ADA, gone=True, masked="", categories=(), always=(), systems=())),
    "unknown": State("unknown"),
    "forget": State("forget", OWNER),
    "forget-error": State("forget", OWNER, {"errors": (("sure", "error_sure"),)}),
    "forget-ordinary": State("forget", ADA),
    "forget-accepted": State("forget", OWNER, {"accepted_at": AT, "reference": "K7QX-4M2P"}),
    **{f"trouble-{kind}": State("trouble", None, {"kind": kind}) for kind in ("down", "too_large", "broken", "stale_form", "late", "")},
}  # fmt: skip
"""Each page in each state, by a name."""

NORTHERN = Look({"accent": "#7a1f5c", "paper": "#faf5f8", "line": "#eadfe6"})
"""A brand's own colours."""
