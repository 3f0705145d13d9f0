"""Floor 1: ports, and the values that cross between floors."""
