"""Makes failed comparisons in the connectors' own tests readable."""

import pytest

pytest.register_assert_rewrite(
    "sayso.testing.connector_suite",
    "sayso.connectors.webhook.tests",
    "sayso.connectors.mailchimp.tests",
    "sayso.connectors.sendgrid.tests",
)
