"""What the demo says when it is ready: where it is, a token, and three commands that work as pasted."""

import shlex
from typing import Any, Final

from sayso.contracts.desk import SCOPES, Grant
from sayso.demo.story import ADA, LARS, MEI, NINA, OMAR, TOM, ZOE
from sayso.demo.world import World
from sayso.flows.enrol import enrol
from sayso.opening import Parts
from sayso.rules.times import DAY
from sayso.rules.tokens import SECRET_BYTES, access_token, fingerprint
from sayso.web.console.pages import curl

TOKEN_LIFE: Final = 7 * DAY
WHO: Final = "c-2001"
COMMANDS: Final[tuple[tuple[str, str, str, dict[str, Any] | None], ...]] = (
    (
        "Somebody says stop", "POST", f"/api/v2/contacts/{WHO}/email_preferences",
        {"email_pref_promotional": "opted_out", "email_pref_update_reason": "too many"},
    ),
    ("May this be sent? No, because …", "POST", "/api/v2/send_checks", {"contact_id": WHO, "channel": "email", "category": "promotional"}),
    ("What happened, by whom, and why", "GET", f"/api/v2/contacts/{WHO}/history", None),
)  # fmt: skip
OTHERS: Final = (
    (ADA.id, "Agreed to offers; the tour is about her."),
    (ZOE.id, "A conflict: she clicked off, and a tool synced “subscribed” three seconds later."),
    (OMAR.id, "Left and came back."),
    (MEI.id, "Pauses until she is back from a journey."),
    (LARS.email, "Stopped everything, on the phone."),
    (NINA.email, "Her address does not exist any more."),
    (TOM.email, "Reported a mail as spam."),
)


async def fresh_token(world: World, parts: Parts) -> str:
    """A token for everything, good for a week. The client behind it is made at the first start."""
    ground = await parts.current.ground()
    if not world.client:
        made = await enrol("Demo", tuple(SCOPES), "c:demo", relay_only=False, desk=parts.desk, book=parts.book, ground=ground)
        world.client = made.client.id
        world.save()
    token = access_token(ground.chance(SECRET_BYTES))
    await parts.desk.keep_token(fingerprint(token), Grant(world.client, tuple(SCOPES), False, ground.clock() + TOKEN_LIFE))
    return token


def lines(url: str, token: str, parts: Parts) -> list[str]:
    """The welcome as lines of text."""
    said = ["", f"Sayso is ready:  {url}", "", f"  data   {parts.settings.data_dir}", f"  token  {token}", ""]
    for title, method, path, body in COMMANDS:
        said += [f"# {title}", curl(url, token, method, path, body), ""]
    return [*said, f"Start over with {shlex.join(['sayso', 'demo', '--reset'])}. Ctrl-C ends it; the data stays.", ""]
