"""Lends the whole hub to the tests of this folder."""

from whole_hub import whole

__all__ = ["whole"]
