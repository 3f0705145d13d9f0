"""Floor 2: translators between the hub and the systems it tells, one folder a vendor."""
