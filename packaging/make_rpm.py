"""Make the RPM and the SBOM: `python make_rpm.py FREEZER [KEY]`; FREEZER is the Python that froze dist/linux-x86_64.

With the name of a key the RPM is signed, by gpg and its agent.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import layout
import release
from hfstack import __version__

HERE = Path(__file__).resolve().parent
PROVIDERS = {"libz.so.1": "zlib", "libgcc_s.so.1": "libgcc"}
"""Packages of RHEL, for the libraries that are not glibc's."""

GLIBC = {
    "libc.so.6",
    "libdl.so.2",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
    "libutil.so.1",
    "ld-linux-x86-64.so.2",
}


def needed(tree: Path) -> Iterator[str]:
    """Yield the packages whose libraries the files below a folder need, glibc left out. Raises `KeyError`."""
    inside = {path.name for path in tree.rglob("*.so*")}
    files = [path for path in tree.rglob("*") if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"]
    printed = subprocess.check_output(["objdump", "-p", *files], text=True, env={**os.environ, "LC_ALL": "C"})
    wanted = {line.split()[1] for line in printed.splitlines() if line.split()[:1] == ["NEEDED"]}
    yield from sorted(PROVIDERS[name] for name in wanted - inside - GLIBC)


def licences(parts: list[dict[str, Any]]) -> str:
    """Return the licence of the whole: hfstack's, and those of the parts."""
    found = {part["licence"] for part in parts} | {"Apache-2.0"}
    return " AND ".join(sorted(f"({one})" if " OR " in one else one for one in found))


def build(tree: Path, package: Path, version: str, licence: str, seconds: int) -> None:
    """Make an RPM of an installed folder. The same folder gives the same bytes."""
    top = release.WORK / "rpmbuild"
    shutil.rmtree(top, ignore_errors=True)
    top.mkdir(parents=True)
    values = {
        "_topdir": top,
        "_rpmdir": top,
        "_tmppath": top,
        "_build_name_fmt": "made.rpm",
        "tree": tree,
        "wanted_version": version,
        "licences": licence,
        "libraries": " ".join(needed(tree)) or "%{nil}",
    }
    defines = [word for name, value in values.items() for word in ("--define", f"{name} {value}")]
    # HOME: somebody's ~/.rpmmacros must not get into the package
    environment = {**os.environ, "HOME": str(top), "SOURCE_DATE_EPOCH": str(seconds), "LC_ALL": "C.UTF-8"}
    command: list[str | Path] = ["rpmbuild", "-bb", "--quiet", *defines, HERE / "rpm" / "hfstack.spec"]
    subprocess.run(command, env=environment, check=True)
    (top / "made.rpm").replace(package)


def sign(package: Path, key: str) -> None:
    """Sign an RPM. Its payload, too: rpm before 4.14 (RHEL 7) does not know of the digest that the header has of it."""
    # rpm's own idea of where gpg is may be another distribution's
    values = {"_gpg_name": key, "__gpg": shutil.which("gpg") or "gpg"}
    defines = [word for name, value in values.items() for word in ("--define", f"{name} {value}")]
    subprocess.run(["rpmsign", "--addsign", "--rpmv3", *defines, package], check=True)


def main() -> None:
    """Make both, in dist/."""
    freezer, *key = sys.argv[1:]
    seconds = release.time()
    found = layout.parts([freezer], release.FROZEN, release.SBOM, seconds)

    tree = release.WORK / "tree"
    layout.make(tree, release.FROZEN, found, seconds)
    made = release.WORK / release.PACKAGE.name
    build(tree, made, __version__, licences(found), seconds)
    subprocess.run(["rpmlint", "--config", HERE / "rpm" / "rpmlint.toml", made], check=True)
    for name in key:
        sign(made, name)
    made.replace(release.PACKAGE)
    print(f"{release.PACKAGE.relative_to(release.ROOT)}: {release.PACKAGE.stat().st_size / 1e6:.1f} MB", end=", ")
    print(f"installed {layout.size(tree) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
