"""The Mailchimp connector's own tests, run from its folder."""

from sayso.connectors.mailchimp.tests import *
