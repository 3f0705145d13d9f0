"""How hard the rules are tried: the same cases every time, or fresh and many with SAYSO_HYPOTHESIS=thorough."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "steady", derandomize=True, deadline=None, max_examples=60, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", deadline=None, max_examples=1_500, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("SAYSO_HYPOTHESIS", "steady"))
