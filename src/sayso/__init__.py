"""Sayso: the single source of truth for who may be contacted, how, about what, and why."""
