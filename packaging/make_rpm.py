"""Make the RPM and the SBOM: `python make_rpm.py FREEZER [KEY]`; FREEZER is the Python that froze dist/linux-x86_64.

With the name of a key, gpg and its agent sign the RPM.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import changelog
import layout
import release
from hfstack import __version__

HERE = Path(__file__).resolve().parent


def licences(parts: list[dict[str, Any]]) -> str:
    """Return the licences of hfstack and of its parts, as one SPDX expression."""
    found = {part["licence"] for part in parts} | {"Apache-2.0"}
    return " AND ".join(sorted(f"({one})" if " OR " in one else one for one in found))


def build(tree: Path, package: Path, version: str, licence: str, seconds: int) -> None:
    """Make an RPM from an installed folder. The same folder gives the same bytes."""
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
    }
    defines = [word for name, value in values.items() for word in ("--define", f"{name} {value}")]
    spec = top / "hfstack.spec"
    changes = changelog.entries((release.ROOT / "CHANGELOG.md").read_text("utf-8"))
    spec.write_text("\n".join([(HERE / "rpm" / spec.name).read_text("utf-8"), "%changelog", *changes, ""]), "utf-8")
    # HOME: the account's ~/.rpmmacros must not change the package
    environment = {**os.environ, "HOME": str(top), "SOURCE_DATE_EPOCH": str(seconds), "LC_ALL": "C.UTF-8"}
    command: list[str | Path] = ["rpmbuild", "-bb", "--quiet", *defines, spec]
    subprocess.run(command, env=environment, check=True)
    (top / "made.rpm").replace(package)


def sign(package: Path, key: str) -> None:
    """Sign an RPM's header and its payload: rpm before 4.14 (RHEL 7) ignores the payload's digest in the header."""
    # rpm may be built for a distribution that has gpg elsewhere
    values = {"_gpg_name": key, "__gpg": shutil.which("gpg") or "gpg"}
    defines = [word for name, value in values.items() for word in ("--define", f"{name} {value}")]
    subprocess.run(["rpmsign", "--addsign", "--rpmv3", *defines, package], check=True)


def main() -> None:
    """Make both in dist/."""
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
