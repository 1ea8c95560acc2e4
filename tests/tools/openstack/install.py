"""Getting the software: OpenStack into a Python environment, MariaDB from the distribution."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.tools.openstack.processes import OpenStackError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.tools.openstack.settings import Settings

PACKAGES = (
    "nova",
    "keystone",
    "openstack-placement",
    "neutron",
    "glance",
    "python-openstackclient",
    "PyMySQL",
    "cheroot",
)
CONSTRAINTS = Path(__file__).with_name("constraints.txt")
DATABASE_PACKAGES = ("mariadb-server-core", "mariadb-client-core")
DATABASE_PROGRAMS = ("mariadbd", "mariadb", "mariadb-install-db")
STAMP = "hfstack-installed"


def program(name: str) -> str | None:
    """Where a program is; an ordinary user's PATH leaves out the directory that Debian puts mariadbd in."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    return shutil.which(name, path=path)


def require(settings: Settings) -> None:
    """Fail with one sentence unless everything that start needs is installed."""
    missing = [name for name in DATABASE_PROGRAMS if not program(name)]
    if missing:
        raise OpenStackError(_database_advice(missing))
    if not _is_installed(settings):
        raise OpenStackError("OpenStack is not installed: run `python -m tests.tools.openstack install`.")


def install(settings: Settings, say: Callable[[str], None]) -> None:
    """Install what is missing; quick when nothing is."""
    missing = [name for name in DATABASE_PROGRAMS if not program(name)]
    if missing:
        _install_database(missing, say)
    stamp = settings.environment_dir / STAMP
    if _stamped(settings):
        say("already installed")
        return
    # Scripts in the environment hold its path: one that was moved is made anew.  A shared one is never cleared.
    clear = ["--clear"] if settings.venv is None and stamp.exists() else []
    say(f"creating {settings.environment_dir}")
    settings.environment_dir.parent.mkdir(parents=True, exist_ok=True)
    _run(
        [sys.executable, "-m", "venv", *clear, str(settings.environment_dir)],
        "Python cannot make a virtual environment here (on Debian the package python3-venv is needed)",
    )
    say("installing OpenStack (a minute or two)")
    pip = [str(settings.python), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    _run(
        # compiled below, on all processors, rather than by pip on one
        [*pip, "install", "--quiet", "--no-compile", "--constraint", str(CONSTRAINTS), *PACKAGES],
        "pip failed",
    )
    say("compiling")
    library = settings.environment_dir / "lib"
    # Not checked: some packages ship test files that are not valid Python on purpose.
    subprocess.run([str(settings.python), "-m", "compileall", "-qq", "-j", "0", str(library)], check=False)
    stamp.write_text(_fingerprint(settings), encoding="ascii")
    say("installed")


def _is_installed(settings: Settings) -> bool:
    if settings.venv is not None and (settings.venv / "bin" / "nova-manage").exists():
        return True  # a shared environment is its owner's affair
    return _stamped(settings)


def _stamped(settings: Settings) -> bool:
    try:
        stamp = (settings.environment_dir / STAMP).read_text(encoding="ascii")
    except OSError:
        return False
    return stamp == _fingerprint(settings)


def _fingerprint(settings: Settings) -> str:
    """Changes when what is to be installed changes, or the environment is moved."""
    parts = (CONSTRAINTS.read_text(encoding="ascii"), *PACKAGES, str(settings.environment_dir))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _database_advice(missing: Sequence[str]) -> str:
    return (
        f"MariaDB is missing ({', '.join(missing)}): run `apt-get install {' '.join(DATABASE_PACKAGES)}` as root,"
        " or install MariaDB's server and client by other means."
    )


def _install_database(missing: Sequence[str], say: Callable[[str], None]) -> None:
    if os.geteuid() != 0 or not program("apt-get"):
        raise OpenStackError(_database_advice(missing))
    say(f"installing {' '.join(DATABASE_PACKAGES)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # The update is not checked: another apt may hold its lock, and older lists will usually do.
    subprocess.run(["apt-get", "-qq", "update"], check=False, env=environment)
    # The timeout waits for another apt or dpkg instead of failing at once.
    options = ["-qq", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=900"]
    _run(["apt-get", *options, "install", *DATABASE_PACKAGES], "apt-get failed", environment)


def _run(command: Sequence[str], complaint: str, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise OpenStackError(f"{complaint}:\n{done.stdout[-4000:].rstrip()}")
