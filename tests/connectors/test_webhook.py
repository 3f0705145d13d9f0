"""The webhook connector's own tests, run from its folder."""

from sayso.connectors.webhook.tests import *
