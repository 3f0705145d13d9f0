"""Floor 2: PostgreSQL, the only store."""
