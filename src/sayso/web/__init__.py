"""Floor 3: doors; parse, call one flow, render."""

from sayso.web import paths

__all__ = ["paths"]
"""Every door's path may hold segments of the kind that module registers."""
