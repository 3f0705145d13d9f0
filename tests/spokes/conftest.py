"""Towns for the tests of the spokes."""

from townsfolk import quiet_town, shop, town

__all__ = ["quiet_town", "shop", "town"]
