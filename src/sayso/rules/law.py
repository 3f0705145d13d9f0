"""Which regime judges a message where nobody has said anything, and which consent it accepts (standards section 7).

First rulebook: without a record, e-mail to the US is allowed (CAN-SPAM, an opt-out regime) and everything else is denied.
An unknown place is judged by the strictest regime.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final


@dataclass(frozen=True, slots=True)
class Regime:
    """One place's rules: `rank` orders strictness, `open_channels` are those that need no consent, `title` is for people."""

    id: str
    rank: int
    open_channels: frozenset[str]
    title: str


RULEBOOK: Final = "r1"

_EU = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE IS LI NO".split()

US: Final = Regime("us_can_spam", 1, frozenset({"email"}), "the United States (CAN-SPAM)")
_US_TCPA: Final = Regime("us_tcpa", 2, frozenset(), "the United States (TCPA)")
CANADA: Final = Regime("ca_casl", 5, frozenset(), "Canada (CASL)")
UK: Final = Regime("uk_pecr", 6, frozenset(), "the United Kingdom (PECR)")
AUSTRALIA: Final = Regime("au_spam", 4, frozenset(), "Australia (Spam Act)")
BRAZIL: Final = Regime("br_lgpd", 6, frozenset(), "Brazil (LGPD)")
INDIA: Final = Regime("in_dpdp", 6, frozenset(), "India (DPDP Act)")
STRICTEST: Final = Regime("eu_eprivacy_gdpr", 9, frozenset(), "the European Union (ePrivacy, GDPR)")

_BY_COUNTRY: Final = {
    "US": US,
    "CA": CANADA,
    "GB": UK,
    "AU": AUSTRALIA,
    "BR": BRAZIL,
    "IN": INDIA,
    **dict.fromkeys(_EU, STRICTEST),
}


@lru_cache(maxsize=4_096)
def regime_for(countries: tuple[str, ...], channel: str, default_country: str | None) -> Regime:
    """The strictest regime of the countries named; with none, that of the default country; with neither, the strictest of all."""
    named = countries or ((default_country,) if default_country else ())
    if not named:
        return STRICTEST
    return max((_one(country, channel) for country in named), key=lambda regime: regime.rank)


def _one(country: str, channel: str) -> Regime:
    regime = _BY_COUNTRY.get(country, STRICTEST)
    return _US_TCPA if regime is US and channel in ("sms", "voice") else regime
