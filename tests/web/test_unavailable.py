"""With the store gone, every door but checks says 503 and nothing is lost silently."""

from hub import Hub as Parts
from running import hub_over, running
from sayso.store.book import PostgresBook
from sayso.store.pool import open_pool


async def test_a_store_that_cannot_be_reached_is_503_with_a_time_to_wait(hub: Parts) -> None:
    nowhere = await open_pool("postgresql://nobody@127.0.0.1:1/none")
    book = PostgresBook(nowhere, hub.book._tools)
    await book.open()
    down = hub_over(Parts(nowhere, book, hub.ground))
    async with running(hub_over(hub), hub) as api:
        token = await api.token("email_preferences events")
        held = await api.hub.callers.lookup(token)
        assert held is not None
        object.__setattr__(api.hub, "book", book)
        for method, path, body in (
            ("GET", "/api/v2/contacts/c-1/email_preferences", None),
            ("POST", "/api/v2/contacts/c-1/email_preferences", {"email_opt_out_global": True}),
            ("POST", "/events", {"id": "c-1", "events": [{"event": "Opt Out", "channel.type": "MAIL"}]}),
        ):
            answer = await api.call(method, path, body, as_="email_preferences events")
            assert (answer.status, answer.json["code"], answer.headers["Retry-After"]) == (503, "unavailable", "1"), answer.raw
        object.__setattr__(api.hub, "callers", down.callers)
        assert (await api.call("GET", "/users/c-1/blacklist")).status == 503
    await book.close()
    await nowhere.close()
