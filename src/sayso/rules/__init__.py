"""Floor 0: pure rules. No I/O, clock, chance or logging; plain values in, plain values out."""
