"""The town, for people who want to be forgotten."""

from townsfolk import quiet_town, shop, town

__all__ = ["quiet_town", "shop", "town"]
