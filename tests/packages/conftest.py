"""The package, another version of it, and systems to install them in."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import make_rpm
import release

EXAMPLES = "opt/hfstack/share/examples"


class System:
    """A root folder with a package database of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "opt").mkdir(parents=True)
        self.rpm("--initdb")

    def rpm(self, *arguments: str | Path, code: int = 0) -> str:
        """Call rpm; return all that it says."""
        done = subprocess.run(
            ["rpm", "--root", self.root, "--dbpath", "/var/lib/rpm", *arguments], capture_output=True, text=True
        )
        assert done.returncode == code, done.stdout + done.stderr
        lines = (done.stdout + done.stderr).splitlines(keepends=True)
        # Debian's rpm says each time that Debian has packages of another kind
        return "".join(line for line in lines if not line.startswith("rpm: "))

    def install(self, verb: str, package: Path, *options: str) -> None:
        """Install a package, without what the root lacks: there is no glibc in it."""
        assert self.rpm(verb, "--nodeps", *options, package) == ""

    def files(self) -> set[str]:
        """Return the files that there are, but for the database."""
        found = {path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if not path.is_dir()}
        return {path for path in found if not path.startswith("var/lib/rpm/")}

    def installed(self) -> list[str]:
        """Return the installed packages."""
        return self.rpm("-qa").split()


@pytest.fixture(scope="session")
def package() -> Path:
    """The RPM of this version."""
    if not shutil.which("rpm"):
        pytest.skip("rpm is not installed: apt-get install rpm")
    if not release.PACKAGE.exists():
        pytest.skip("the RPM is missing: make rpm")
    if query(release.PACKAGE, "%{RSAHEADER}") != "(none)":
        pytest.skip("the RPM is signed with a key that a new system does not know: make rpm without SIGN_KEY")
    return release.PACKAGE


@pytest.fixture
def system(tmp_path: Path, package: Path) -> System:  # noqa: ARG001 - nothing to install otherwise
    """A system without any package."""
    if os.geteuid():
        pytest.skip("only root can install into another root")
    return System(tmp_path / "system")


@pytest.fixture(scope="session")
def small_tree(tmp_path_factory: pytest.TempPathFactory, package: Path) -> Path:
    """The installed folder of another version: a program less, another example, a file of its own."""
    tree = tmp_path_factory.mktemp("small") / "tree"
    unpacked = tmp_path_factory.mktemp("unpacked")
    unpack(package, unpacked)
    shutil.copytree(unpacked / EXAMPLES, tree / "share" / "examples")
    with (tree / "share" / "examples" / "osinst" / "clouds.yaml").open("a", encoding="utf-8") as file:
        file.write("# as it was\n")
    (tree / "share" / "doc").mkdir()
    (tree / "share" / "doc" / "OLD").write_text("gone with the next version\n", "utf-8")
    for folder in ("share/man", "scripts", "bin/_internal/psutil"):
        shutil.copytree(unpacked / "opt" / "hfstack" / folder, tree / folder)
    release.freshen(tree, release.time())
    return tree


@pytest.fixture(scope="session")
def older(tmp_path_factory: pytest.TempPathFactory, small_tree: Path) -> Path:
    """The RPM of an older version."""
    package = tmp_path_factory.mktemp("older") / "hfstack-0.0.1-1.x86_64.rpm"
    build(small_tree, package)
    return package


def build(tree: Path, package: Path) -> None:
    """Make an RPM of a folder, as version 0.0.1."""
    if not shutil.which("rpmbuild"):
        pytest.skip("there is no rpmbuild here: apt-get install rpm")
    make_rpm.build(tree, package, "0.0.1", "Apache-2.0", release.time())


def unpack(package: Path, folder: Path) -> None:
    """Unpack what a package would install."""
    with subprocess.Popen(["rpm2cpio", package], stdout=subprocess.PIPE) as payload:
        subprocess.run(["cpio", "-id", "--quiet"], stdin=payload.stdout, cwd=folder, check=True)
    assert payload.returncode == 0


def query(package: Path, form: str) -> str:
    """Return what rpm reads in a package's header."""
    return subprocess.check_output(["rpm", "-qp", "--nosignature", "--qf", form, package], text=True)
