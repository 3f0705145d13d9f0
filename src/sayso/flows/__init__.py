"""Floor 2: one verb a file, one public function, ports as keyword arguments."""
