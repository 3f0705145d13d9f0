"""Speed, measured beside its limit in the same run on the same machine. `python -m bench --help`."""
