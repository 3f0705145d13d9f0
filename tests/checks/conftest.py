"""A whole hub to ask, over real HTTP."""

from townsfolk import quiet_town as town

__all__ = ["town"]
