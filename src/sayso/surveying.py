"""Making a decision snapshot with every processor there is: each process of a crew reads some shards and writes a piece of it.

All processes see what the census sees that they help; a piece is what the snapshot says, so it holds no personal data.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from sayso.audience.kept import FolderDraft
from sayso.contracts.audience import Census, Count, Crew
from sayso.crews import Say, parts_of, share, toil
from sayso.flows.survey import survey
from sayso.rules.audience import Recipe, fixed
from sayso.store.pool import open_pool
from sayso.store.snapshot import PostgresCensuses


class Task(msgspec.Struct, frozen=True):
    """What a process reads: shards of the store at this DSN as a census sees them, for a recipe; its piece lies in this folder."""

    dsn: str
    folder: str
    snapshot: str
    recipe: Recipe
    first: int
    upto: int


def crew_of(dsn: str, folder: Path, *, processes: int | None = None) -> Crew:
    """What makes pieces in this folder of snapshots with several processes; it makes none where one process alone is as quick."""

    async def pieces(census: Census, recipe: Recipe, tell: Count) -> Sequence[str]:
        if not (parts := parts_of(census.revision.log_size, processes)):
            return ()
        snapshot = await census.shared()
        tasks = [Task(dsn, str(folder), snapshot, recipe, part.start, part.stop) for part in parts]
        return await share("sayso.surveying", tasks, str, tell)

    return pieces


async def _surveyed(task: Task, say: Say) -> str:
    pool = await open_pool(task.dsn, size=1, application="sayso screen")
    draft = FolderDraft(Path(task.folder), fixed(task.recipe), None)
    try:
        # Nothing is looked up by name or address here, so there is no need for the pepper.
        async with PostgresCensuses(pool, b"").opened(task.snapshot) as census:
            await survey(census=census, recipe=task.recipe, draft=draft, shards=range(task.first, task.upto), tell=say)
        return draft.leave()
    finally:
        draft.close()


if __name__ == "__main__":
    toil(Task, _surveyed)
