"""The private MariaDB server of the cloud."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.tools.openstack.install import program
from tests.tools.openstack.processes import OpenStackError, Processes, tail

if TYPE_CHECKING:
    from tests.tools.openstack.settings import Settings

NAMES = ("keystone", "placement", "glance", "neutron", "nova_api", "nova_cell0", "nova")
PROCESS = "database"
CELL_USER = "cell1"
SOCKET_BASE_LIMIT = 80  # leaves room for two short names


class Database:
    """MariaDB on a unix socket only, reachable by nobody but its owner."""

    def __init__(self, settings: Settings, processes: Processes) -> None:
        self._settings = settings
        self._processes = processes
        self._data = settings.state / "db"

    @property
    def socket_dir(self) -> Path:
        """A short private directory for sockets, made when there is none.

        A socket's path may have 107 bytes at most, and the project may be checked out anywhere; hence not below the
        state.  It is remembered there.  One that somebody else could have planted is not taken.
        """
        record = self._settings.state / "socket-dir"
        if record.exists():
            directory = Path(record.read_text(encoding="utf-8"))
            if _is_private(directory):
                return directory
        base = tempfile.gettempdir()
        directory = Path(tempfile.mkdtemp(prefix="hfstack-", dir=base if len(base) < SOCKET_BASE_LIMIT else "/tmp"))
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(str(directory), encoding="utf-8")
        return directory

    @property
    def socket(self) -> Path:
        """Where the server listens."""
        return self.socket_dir / "db"

    @property
    def _cell_socket(self) -> Path:
        """The way that Nova takes to its cell's database: a link to the server's socket, see break_cell."""
        return self.socket_dir / "cell1"

    def urls(self) -> dict[str, str]:
        """SQLAlchemy's URL of each database."""
        urls = {name: f"mysql+pymysql://root@localhost/{name}?unix_socket={self.socket}&charset=utf8" for name in NAMES}
        urls["nova"] = f"mysql+pymysql://{CELL_USER}@localhost/nova?unix_socket={self._cell_socket}&charset=utf8"
        return urls

    def create(self) -> None:
        """A new server with empty databases, left running."""
        log = self._processes.log("database-install")
        log.parent.mkdir(parents=True, exist_ok=True)
        # By a link, as this shell script cannot bear a space in the directory's path.
        link = self.socket_dir / "data"
        link.symlink_to(self._data)
        self._data.mkdir(mode=0o700)
        with log.open("wb") as output:
            # root without a password: the directory of the socket keeps others out
            options = ["--auth-root-authentication-method=normal", "--skip-test-db", *_as_root()]
            # --force: the machine's own name need not resolve, as everything goes through a unix socket
            command = [_program("mariadb-install-db"), "--no-defaults", "--force", f"--datadir={link}", *options]
            done = subprocess.run(command, check=False, stdout=output, stderr=subprocess.STDOUT)
        link.unlink()
        if done.returncode:
            raise OpenStackError(f"mariadb-install-db failed; the end of {log}:\n{tail(log)}")
        self.start()
        self.mend_cell()
        self.sql("".join(f"CREATE DATABASE {name} CHARACTER SET utf8mb3;" for name in NAMES))
        self.sql(f"CREATE USER {CELL_USER}@localhost; GRANT ALL ON nova.* TO {CELL_USER}@localhost")

    def start(self) -> None:
        """Start the server unless it runs, and wait until it answers."""
        options = [
            "--no-defaults",
            *_as_root(),
            f"--datadir={self._data}",
            f"--tmpdir={self._settings.state / 'home'}",
            f"--socket={self.socket}",
            f"--pid-file={self._settings.state / 'mariadb.pid'}",
            "--skip-networking",
            "--character-set-server=utf8mb3",
            "--max-connections=800",
            "--performance-schema=OFF",
            # Durability is not wanted: the data are a test's, and `reset` replaces them.
            "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-flush-method=nosync",
            "--innodb-doublewrite=0",
            "--innodb-buffer-pool-size=256M",
            "--innodb-log-file-size=64M",
            "--innodb-buffer-pool-dump-at-shutdown=OFF",
        ]
        if not self._processes.pid(PROCESS):
            (self._settings.state / "home").mkdir(parents=True, exist_ok=True)
            environment = {"PATH": os.defpath, "HOME": str(self._settings.state / "home")}
            self._processes.spawn(PROCESS, [_program("mariadbd"), *options], environment)
        self._processes.wait(PROCESS, self._answers, 60)

    def stop(self) -> None:
        """Stop the server; the data stay."""
        self._processes.stop(PROCESS, seconds=60)

    def sql(self, statement: str) -> list[list[str]]:
        """Run statements as the database's root; give the rows of the result as text (NULL is the word NULL)."""
        done = self._client(statement)
        if done.returncode:
            raise OpenStackError(f"SQL: {done.stderr.strip()}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def copy_to(self, directory: Path) -> None:
        """Copy the data; the server must be stopped."""
        shutil.copytree(self._data, directory)

    def copy_from(self, directory: Path) -> None:
        """Put a copy back; the server must be stopped."""
        shutil.rmtree(self._data, ignore_errors=True)
        shutil.copytree(directory, self._data)

    def remove_sockets(self) -> None:
        """Remove the directory of the sockets."""
        if (self._settings.state / "socket-dir").exists():
            shutil.rmtree(self.socket_dir, ignore_errors=True)

    def break_cell(self) -> None:
        """Make Nova's cell unreachable while everything else, its API database too, goes on.

        All of Nova reaches its cell's database by a socket's name and as a user of its own: without the name no new
        connection succeeds, and the user's open ones are cut.
        """
        self._cell_socket.unlink(missing_ok=True)
        self.sql(f"KILL HARD USER {CELL_USER}@localhost")

    def mend_cell(self) -> None:
        """Undo break_cell."""
        if not self._cell_socket.is_symlink():
            self._cell_socket.symlink_to(self.socket)

    def _answers(self) -> bool:
        return self._client("SELECT 1").returncode == 0

    def _client(self, statement: str) -> subprocess.CompletedProcess[str]:
        command = [_program("mariadb"), "--no-defaults", "--user=root", f"--socket={self.socket}"]
        command += ["--batch", "--skip-column-names"]
        return subprocess.run(command, input=statement, check=False, capture_output=True, text=True)


def _program(name: str) -> str:
    return program(name) or name


def _as_root() -> list[str]:
    # MariaDB refuses to run as root unless told so by name
    return ["--user=root"] if os.geteuid() == 0 else []


def _is_private(directory: Path) -> bool:
    try:
        found = directory.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) == 0o700
