"""The doors of the API, one file a section of the wire contract: parse, call a flow, render."""

from sayso.web import paths

__all__ = ["paths"]
"""Every door's path may hold segments of the kind that module registers."""
