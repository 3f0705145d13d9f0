"""The SendGrid connector's own tests, run from its folder."""

from sayso.connectors.sendgrid.tests import *
