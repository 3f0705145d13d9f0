"""`python -m sayso.demo`: the demo without the rest of the command line; `--people` makes it smaller."""

import argparse
import sys

from sayso.demo.command import run
from sayso.demo.story import PEOPLE

parser = argparse.ArgumentParser(prog="python -m sayso.demo", description=__doc__)
parser.add_argument("--port", type=int)
parser.add_argument("--reset", action="store_true")
parser.add_argument("--people", type=int, default=PEOPLE)
given = parser.parse_args()
sys.exit(run(given.port, given.reset, given.people))
