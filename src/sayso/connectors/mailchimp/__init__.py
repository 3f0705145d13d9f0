"""Mailchimp Marketing: one audience whose members are subscribed or not."""

from sayso.connectors.mailchimp.facts import hear, pull
from sayso.connectors.mailchimp.wire import Account, link
from sayso.connectors.mailchimp.writes import echo, push, read_back
from sayso.contracts.answers import judged, parsed, table, text
from sayso.contracts.connector import About, Flow, Health, Pace, Setting, Settings

__all__ = ["about", "check", "echo", "hear", "pull", "push", "read_back"]

about = About(
    name="mailchimp",
    title="Mailchimp",
    channels=("email",),
    grain="address",
    can_resubscribe=False,
    pace=Pace(per_second=10, concurrency=5),
    batch=500,
    settings=(
        Setting("api_key", "an API key such as 0123…-us21", required=True, secret=True),
        Setting("list_id", "the id of the audience", required=True),
        Setting(
            "webhook_secret", "the secret in the address that Mailchimp calls (?secret=…); also the signing key if it signs", secret=True
        ),
        Setting("signing_secret", "the signing secret of the webhook, where it differs from webhook_secret", secret=True),
        Setting("category", "the category the audience is about; absent: all marketing"),
        Setting("base_url", "another server instead of https://<dc>.api.mailchimp.com/3.0"),
    ),
    docs="https://mailchimp.com/developer/marketing/api/",
    states=(
        ("subscribed", "opted in (weak: never answers an opt-out)"),
        ("unsubscribed", "opted out; by complaint where the reason is abuse"),
        ("pending", "nothing: waits for the person's confirmation"),
        ("cleaned", "hard bounce"),
        ("archived", "nothing: not mailable there, the earlier state stays"),
        ("transactional", "nothing: never subscribed"),
    ),
)


def check(settings: Settings) -> Flow[Health]:
    """Whether the key works and the audience exists."""
    account = Account.of(settings)
    response = yield account.request("GET", link("lists", account.list_id), query=(("fields", "id,name"),))
    if response.status == 404:
        return Health(False, f"There is no audience {account.list_id} in this account: look it up under Audience settings.")
    outcome = judged(response)
    if outcome is not None:
        return Health(False, f"Mailchimp {outcome.reason}.")
    if not table(parsed(response.body)):
        return Health(False, "The server does not answer like Mailchimp: check base_url.")
    return Health(True, f"Connected to the audience {text(table(parsed(response.body)).get('name')) or account.list_id}.")
