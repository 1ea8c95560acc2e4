"""What is inside the frozen folder: `python inside.py FOLDER` prints its parts as JSON.

To be run with the Python that froze the folder. Around it is everything there is to know: PyInstaller, the metadata of
the packages, and beside the interpreter, in SOURCES, the versions of the source packages that it was made of. A file or
a module that belongs to no part is an error: nothing gets in without a name, a version and a licence.
"""

from __future__ import annotations

import _decimal
import json
import platform
import pyexpat
import ssl
import sys
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

import yaml._yaml
from PyInstaller.archive.readers import CArchiveReader

HERE = Path(__file__).resolve().parent

OWN = {"hfstack", "program", *(path.stem for path in (HERE.parent / "build" / "linux" / "host").glob("*.py"))}
"""hfstack's own modules, and those of its build that stand in for other people's."""

MODULES = "hfstack:"
"""Modules are in an archive within the executable; `hfstack:requests` says where."""

LINKED = {
    "zlib": "Zlib",
    "bzip2": "bzip2-1.0.6",
    "libffi": "MIT",
    "xz-utils": "0BSD",
    "openssl": "Apache-2.0",
}
"""The licences of what is linked into libpython, by the name of the source package."""

LICENCES = {
    "GPLv2-or-later with a special exception which allows to use PyInstaller to build and distribute non-free programs "
    "(including commercial ones)": "GPL-2.0-or-later WITH Bootloader-exception",
    "License :: OSI Approved :: MIT License": "MIT",
}
"""SPDX expressions for what packages say in other words."""


@dataclass
class Part:
    """Something that has a name, a version and a licence of its own."""

    name: str
    version: str
    purl: str
    licence: str
    """An SPDX expression."""
    texts: list[str]
    """The files with the licence's text."""
    places: set[str] = field(default_factory=set)
    """Where it is: files and folders below the frozen folder, modules as `hfstack:requests`."""


def parts(folder: Path) -> list[Part]:
    """Return the parts of a frozen folder. Raises `SystemExit` for what belongs to none."""
    interpreter, *linked = sources()
    owners = known(interpreter)
    strangers = []
    for place, name in everything(folder):
        owner = owners.get(name)
        if owner is None:
            strangers.append(place)
        elif owner is not interpreter or not place.startswith(MODULES):
            # (a hundred modules of the standard library would say no more than the interpreter's two files do)
            owner.places.add(place)
    if strangers:
        sys.exit(f"{folder}: it is not known what these belong to: {', '.join(sorted(strangers))}")

    library = next(place for place in interpreter.places if "libpython" in place)
    compiled = (folder / library).read_bytes()
    for word in (platform.python_version(), ssl.OPENSSL_VERSION, zlib.ZLIB_RUNTIME_VERSION, pyexpat.EXPAT_VERSION):
        if word.encode() not in compiled:
            sys.exit(f"{folder}: {library} was not made with {sys.executable}, it has no {word}")
    for part in linked:
        part.places.add(library)
    packages = {id(part): part for part in owners.values() if part.places}
    found = [*packages.values(), *linked, *copied(folder, library)]
    return sorted(found, key=lambda part: part.name.lower())


def known(interpreter: Part) -> dict[str, Part]:
    """Return what belongs to what: modules, and packages by the names of their metadata."""
    packages = {one.name: of(one) for one in metadata.distributions()}
    owners = {name.lower().replace("-", "_"): part for name, part in packages.items()}
    owners |= {module: packages[names[0]] for module, names in metadata.packages_distributions().items()}
    owners |= dict.fromkeys(
        ("hfstack", "pyiboot01_bootstrap", "pyimod01_archive", "pyimod02_importers", "pyimod03_ctypes"),
        packages["pyinstaller"],
    )
    own = ("libpython3", "base_library", *sys.stdlib_module_names, "_sysconfigdata__linux_x86_64-linux-gnu")
    return owners | dict.fromkeys(own, interpreter)


def everything(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each thing that is in a frozen folder: its place, and the name by which its owner is known."""
    program = CArchiveReader(str(folder / "hfstack"))
    for name, entry in program.toc.items():
        if entry[-1] == "o":
            continue  # an option of the interpreter, nothing that is there
        if entry[-1] == "z":
            for module in program.open_embedded_archive(name).toc:
                top = module.split(".")[0]
                if top not in OWN:
                    yield MODULES + top, top
        elif name not in OWN:
            yield MODULES + name, name
    with zipfile.ZipFile(folder / "_internal" / "base_library.zip") as library:
        for name in library.namelist():
            yield "_internal/base_library.zip", name.split("/")[0].split(".")[0]
    yield "hfstack", "hfstack"
    for path in (folder / "_internal").iterdir():
        # beside the modules in the archive there are their shared libraries, their data, or their metadata
        name = path.name.split("-")[0] if path.suffix == ".dist-info" else path.name.split(".")[0]
        libraries = sorted(path.rglob("*.so")) if path.is_dir() else []
        for one in libraries or [path]:
            yield one.relative_to(folder).as_posix(), name


def sources() -> Iterator[Part]:
    """Yield the interpreter, and what is linked into it: Debian's source packages, which SOURCES names."""
    prefix = Path(sys.base_prefix)
    for line in (prefix.parent / "SOURCES").read_text("ascii").splitlines():
        name, version = line.split()
        purl = f"pkg:deb/debian/{name}@{quote(version, safe='')}?arch=source"
        if name.startswith("python"):
            text = next(prefix.glob("lib/python3.*/LICENSE.txt"))
            yield Part("CPython", version, purl, "Python-2.0.1", [str(text), *texts("cpython-incorporated")])
        else:
            yield Part(name, version, purl, LINKED[name], texts(name))


def copied(folder: Path, library: str) -> Iterator[Part]:
    """Yield what others have copied into their own sources, and the versions that the copies say they are."""
    for name, version, licence, place in (
        ("expat", pyexpat.EXPAT_VERSION.removeprefix("expat_"), "MIT", library),
        ("libmpdec", _decimal.__libmpdec_version__, "BSD-2-Clause", library),
        ("libyaml", yaml._yaml.get_version_string(), "MIT", "_internal/yaml"),  # noqa: SLF001
    ):
        where = {path.relative_to(folder).as_posix() for path in folder.glob(f"{place}/*.so")} or {place}
        yield Part(name, version, f"pkg:generic/{name}@{version}", licence, texts(name), where)


def of(package: metadata.Distribution) -> Part:
    """Return a Python package as a part."""
    said = package.metadata
    words = [word for key in ("License-Expression", "License", "Classifier") for word in said.get_all(key, [])]
    licence = next((LICENCES.get(word, word) for word in words if word and is_licence(word)), "")
    files = [
        str(file.locate()) for file in package.files or [] if ".dist-info/" in str(file) and legal(str(file).lower())
    ]
    purl = f"pkg:pypi/{said['Name'].lower().replace('_', '-')}@{package.version}"
    return Part(said["Name"], package.version, purl, licence, sorted(files))


def is_licence(word: str) -> bool:
    """Return whether that is an SPDX expression, or words that are known to mean one."""
    return word in LICENCES or (len(word) < 40 and "::" not in word)


def legal(path: str) -> bool:
    """Return whether a file of a package's metadata is its licence, or names what is compiled in."""
    return any(
        word in path.rpartition(".dist-info/")[2] for word in ("licen", "copying", "notice", "authors", "sboms/")
    )


def texts(name: str) -> list[str]:
    """Return where a licence is that comes with no package."""
    return [str(path) for path in sorted((HERE / "licences").glob(f"{name}.*"))]


def main() -> None:
    """Print the parts of the folder that the command line names."""
    found = parts(Path(sys.argv[1]).resolve())
    for part in found:
        if not (part.licence and part.texts):
            sys.exit(f"{part.name} {part.version} has no licence, or no text of it")
    json.dump([asdict(part) | {"places": sorted(part.places)} for part in found], sys.stdout, indent=2)


if __name__ == "__main__":
    main()
