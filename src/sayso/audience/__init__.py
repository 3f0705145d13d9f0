"""Floor 2: the engine that puts whole audiences against the decision snapshot, with DuckDB and Arrow."""
