"""`sayso explain`: why a message may be sent to an address, or why not, rule by rule."""

from typing import Annotated, Any

import typer

from sayso.commands.frame import USAGE, Failed, hub, run
from sayso.commands.output import AsJson, out, print_json, table
from sayso.flows.explain import Explained, explain
from sayso.rules.answer import shown
from sayso.rules.catalogue import Catalogue
from sayso.rules.countries import COUNTRIES
from sayso.web.checks import read_check
from sayso.web.errors import Problem


def explain_address(
    address: Annotated[str, typer.Argument(help="The address a message would go to.")],
    category: Annotated[str, typer.Option("--category", "-c", help="What the message is about: a key of the catalogue.")],
    channel: Annotated[str, typer.Option(help="How it would be sent.")] = "email",
    country: Annotated[str | None, typer.Option(help="Where the person is, for example DE.")] = None,
    brand: Annotated[
        str | None, typer.Option("--brand", "--business-unit", help="Which brand sends it; else it is judged for all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show each rule in order, its input and its outcome. The check is logged as every other is."""
    body = {"address": address, "channel": channel, "category": category, "country": country, "business_unit": brand}
    found, catalogue = run(_explain(body), as_json)
    answer = shown(str(found.check) if found.check else None, found.logged, catalogue, None)
    if as_json:
        print_json({**answer, "explanation": list(found.rules)})
        return
    console = out()
    word = "may be sent" if answer["allowed"] else "must not be sent"
    console.print(
        f"{category} on {channel} {word} to {address} (regime {answer['regime']}, state version {answer['version']})", markup=False
    )
    console.print(table([_line(rule) for rule in found.rules], ("rule", "outcome", "input")))
    console.print(f"Logged as {answer['id']}." if answer["id"] else "The store could not be read; nothing was logged.", markup=False)


async def _explain(body: dict[str, Any]) -> tuple[Explained, Catalogue]:
    async with hub() as parts:
        ground = await parts.current.ground()
        try:
            question = read_check(body, catalogue=ground.catalogue, campaigns={}, countries=COUNTRIES, region=ground.default_country)
        except Problem as refused:
            detail, pointer = refused.errors[0]
            raise Failed(detail, where=pointer.removeprefix("#/"), code=USAGE) from refused
        return await explain(question, gatehouse=parts.gatehouse, ground=ground), ground.catalogue


def _line(rule: dict[str, Any]) -> dict[str, str]:
    return {"rule": rule["rule"], "outcome": rule["outcome"], "input": " ".join(_input(reason) for reason in rule["input"])}


def _input(reason: dict[str, Any]) -> str:
    scope = reason["scope"]
    where = f" ({scope['brand']}, {scope['channel']}, {scope['category']})" if scope else ""
    since = f" since {reason['since']}" if reason["since"] else ""
    entry = f" [{reason['entry']}]" if reason["entry"] else ""
    return f"{reason['code']}{where}{since}{entry}: {reason['detail']}"
