"""What a hub and its database take: proportional set size, so that memory shared by processes counts once."""

from pathlib import Path

MIB = 1024


def of_family(pid: int, folder: Path) -> float:
    """MiB of a hub's process with its children, and of the database server in its data folder."""
    family = {pid} | {child for child, parent in _parents().items() if parent == pid}
    servers = {one for one in _parents() if str(folder) in _command(one)}
    family |= servers | {child for child, parent in _parents().items() if parent in servers}
    return sum(_pss(one) for one in family) / MIB


def _parents() -> dict[int, int]:
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            found[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
    return found


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
