"""SendGrid: unsubscribe groups (ASM) for categories; the account-wide list only where nothing else may be sent."""

from sayso.connectors.sendgrid.events import hear, public_key
from sayso.connectors.sendgrid.lists import pull
from sayso.connectors.sendgrid.wire import Account
from sayso.connectors.sendgrid.writes import echo, push, read_back
from sayso.contracts.answers import judged, parsed, rows, text
from sayso.contracts.connector import About, BadSignature, Flow, Health, Pace, Setting, Settings

__all__ = ["about", "check", "echo", "hear", "pull", "push", "read_back"]

about = About(
    name="sendgrid",
    title="SendGrid",
    channels=("email",),
    grain="address",
    can_resubscribe=True,
    pace=Pace(per_second=10, concurrency=4),
    batch=100,
    settings=(
        Setting("api_key", "an API key with full access to Suppressions", required=True, secret=True),
        Setting("webhook_public_key", "the verification key of the Signed Event Webhook; without it nothing is heard"),
        Setting("groups", 'which unsubscribe group stands for which category, for example {"promotional": 12345}'),
        Setting("marketing_only", "true where this account sends nothing but marketing: then its account-wide list may be written"),
        Setting("base_url", "another server instead of https://api.sendgrid.com (EU: https://api.eu.sendgrid.com)"),
    ),
    docs="https://www.twilio.com/docs/sendgrid/api-reference",
    states=(
        ("in no suppression list", "nothing: absence is not consent"),
        ("global unsubscribe", "opted out of e-mail"),
        ("in an unsubscribe group", "opted out of the mapped category; of e-mail where the group is not mapped"),
        ("bounces, invalid_emails", "hard bounce, unless the status says that the mailbox was full or the sender at fault"),
        ("blocks", "soft bounce"),
        ("spam_reports", "complaint"),
    ),
)


def check(settings: Settings) -> Flow[Health]:
    """Whether the key works, the mapped groups exist, and events could be verified."""
    account = Account.of(settings)
    response = yield account.request("GET", "/v3/asm/groups")
    outcome = judged(response)
    if outcome is not None:
        return Health(False, f"SendGrid {outcome.reason}.")
    if not isinstance(parsed(response.body), list):
        return Health(False, "The server does not answer like SendGrid: check base_url.")
    known = {text(group.get("id")): text(group.get("name")) for group in rows(parsed(response.body))}
    missing = [f"{category} → {group}" for category, group in account.groups if str(group) not in known]
    if missing:
        return Health(False, f"There is no unsubscribe group for {', '.join(missing)}; known are {', '.join(sorted(known)) or 'none'}.")
    try:
        public_key(settings)
    except BadSignature as error:
        return Health(False, f"Nothing can be heard: {error}.")
    if not account.groups and not account.marketing_only:
        return Health(True, "Connected, but no group is mapped: opt-outs cannot be expressed here and will be listed as such.")
    return Health(True, f"Connected; {len(account.groups)} categories are mapped to unsubscribe groups.")
