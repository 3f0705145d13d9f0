"""How hard the rules are tried (as in tests/rules), and whole hubs with their worker."""

import os

from hypothesis import HealthCheck, settings

from operators import bare, sayso
from townsfolk import town

settings.register_profile(
    "steady", derandomize=True, deadline=None, max_examples=60, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", deadline=None, max_examples=1_500, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("SAYSO_HYPOTHESIS", "steady"))

__all__ = ["bare", "sayso", "town"]
