"""The fixtures of the command line's tests."""

from operators import bare, listed, sayso

__all__ = ["bare", "listed", "sayso"]
