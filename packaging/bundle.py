"""Put everything that a site without internet needs in one tar file: `python bundle.py`, after make_rpm.py.

The bundle has the packages, the documents, the SBOMs, and SHA256SUMS with a script that checks it.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from pathlib import Path

import release

HERE = Path(__file__).resolve().parent


def fill(folder: Path, files: list[Path], seconds: int) -> None:
    """Make the folder of the bundle."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for file in files:
        shutil.copy(file, folder)
    release.documents(folder)
    shutil.copy(HERE / "verify.sh", folder)
    inside = sorted(path for path in folder.rglob("*") if path.is_file())
    (folder / "SHA256SUMS").write_text("".join(sums(inside, folder)), "ascii")
    release.freshen(folder, seconds)


def sums(files: list[Path], folder: Path) -> list[str]:
    """Return the lines of sha256sum, with paths relative to a folder."""
    return [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  ./{path.relative_to(folder).as_posix()}\n" for path in files
    ]


def pack(folder: Path, archive: Path) -> None:
    """Write a folder to a tar file. The same folder gives the same bytes: root owns all files, and names are sorted."""

    def owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        return entry

    with tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT) as tar:
        for path in [folder, *sorted(folder.rglob("*"))]:
            tar.add(
                path, f"{folder.name}/{path.relative_to(folder)}".rstrip("/."), recursive=False, filter=owned_by_root
            )


def main() -> None:
    """Write the bundle, and SHA256SUMS of all released files, in dist/."""
    files = [release.PACKAGE, release.SBOM]
    files += [path for path in (release.INSTALLER, release.WINDOWS_SBOM) if path.exists()]
    folder = release.WORK / release.BUNDLE.stem
    fill(folder, files, release.time())
    pack(folder, release.BUNDLE)
    (release.DIST / "SHA256SUMS").write_text("".join(sums([*files, release.BUNDLE], release.DIST)), "ascii")
    print(f"{release.BUNDLE.relative_to(release.ROOT)}: {release.BUNDLE.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
