"""Floor 3: doors; parse, call one flow, render."""
