"""The running API for the tests of its doors."""

from running import api

__all__ = ["api"]
