"""A hub whose clock is wrong: `python skewed_hub.py HOURS`. Everything else as `sayso serve`."""

import os
import sys
from datetime import UTC, datetime, timedelta

import time_machine

from sayso import serving
from sayso.settings import read

if __name__ == "__main__":
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=float(sys.argv[1])), tick=True):
        serving.run(serving.Plan(read(os.environ)))
