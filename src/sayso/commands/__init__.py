"""The commands of `sayso`, one group a file; each reads its arguments, runs a flow and shows what became of it."""
