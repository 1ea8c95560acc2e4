"""Put everything that a site without internet needs into one tar file: `python bundle.py`, after make_rpm.py.

The packages, what there is to read, the SBOM, and SHA256SUMS with a script that checks it.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from pathlib import Path

import release

HERE = Path(__file__).resolve().parent


def fill(folder: Path, files: list[Path], seconds: int) -> None:
    """Make the folder that is bundled, anew."""
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
    """Return lines as sha256sum writes them, with paths below a folder."""
    return [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  ./{path.relative_to(folder).as_posix()}\n" for path in files
    ]


def pack(folder: Path, archive: Path) -> None:
    """Write a folder into a tar file. The same folder gives the same bytes: it has no owners, and names in order."""

    def nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        return entry

    with tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT) as tar:
        for path in [folder, *sorted(folder.rglob("*"))]:
            tar.add(path, f"{folder.name}/{path.relative_to(folder)}".rstrip("/."), recursive=False, filter=nobodys)


def main() -> None:
    """Write the bundle, and SHA256SUMS of all that is to be handed out, in dist/."""
    files = [release.PACKAGE, release.SBOM]
    files += [path for path in (release.INSTALLER, release.WINDOWS_SBOM) if path.exists()]
    folder = release.WORK / release.BUNDLE.stem
    fill(folder, files, release.time())
    pack(folder, release.BUNDLE)
    (release.DIST / "SHA256SUMS").write_text("".join(sums([*files, release.BUNDLE], release.DIST)), "ascii")
    print(f"{release.BUNDLE.relative_to(release.ROOT)}: {release.BUNDLE.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
