"""Wires screening: the census of the hub's database, and the engine over the data folder."""

from sayso.audience.joined import DuckEngine
from sayso.opening import Parts
from sayso.store.snapshot import PostgresCensuses
from sayso.surveying import crew_of
from sayso.web.api.audiences import Screening

SNAPSHOT = "snapshot"
PASSING = "tmp"


def screening_of(parts: Parts) -> Screening:
    """What screening an audience takes, from the parts of a hub; makes nothing on disk yet."""
    folder = parts.settings.data_dir
    engine = DuckEngine(folder / SNAPSHOT, folder / PASSING, parts.keys.pepper)
    crew = crew_of(parts.dsn, folder / SNAPSHOT)
    return Screening(PostgresCensuses(parts.pool, parts.keys.pepper, lambda: parts.doubt.why), engine, folder / PASSING, crew)
