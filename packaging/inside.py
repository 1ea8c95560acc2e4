"""Find out what is inside a frozen folder: `python inside.py FOLDER` prints its parts as JSON.

The Python that froze the folder must run this: it has PyInstaller, the metadata of the packages, and the interpreter. A
file or module that belongs to no part is an error: everything shipped has a name, a version and a licence.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from PyInstaller.archive.readers import CArchiveReader

from part import Part

if sys.platform == "win32":
    import windows_parts as system
else:
    import linux_parts as system

OWN = {"hfstack", "__main__", *system.STAND_INS}
"""hfstack's own modules, and modules of its build that replace other packages."""

MODULES = "hfstack:"
"""Modules are in an archive inside the executable; `hfstack:requests` is such a place."""

BOOTSTRAP = ("pyiboot01_bootstrap", "pyimod01_archive", "pyimod02_importers", "pyimod03_ctypes", "pyimod04_pywin32")
"""PyInstaller's own modules. Each system has some of them."""

LICENCES = {
    "GPLv2-or-later with a special exception which allows to use PyInstaller to build and distribute non-free programs "
    "(including commercial ones)": "GPL-2.0-or-later WITH Bootloader-exception",
    "License :: OSI Approved :: MIT License": "MIT",
}
"""SPDX expressions for licences that packages describe in other words."""


def parts(folder: Path) -> list[Part]:
    """Return the parts of a frozen folder. Raises `SystemExit` if something belongs to none."""
    interpreter = system.interpreter()
    owners = known(interpreter)
    strangers = []
    for place, name in everything(folder):
        owner = owners.get(name)
        if owner is None:
            strangers.append(place)
        elif owner is not interpreter or not place.startswith(MODULES):
            # the interpreter's files stand for the hundred modules of the standard library
            owner.places.add(place)
    if strangers:
        sys.exit(f"{folder}: these belong to no known part: {', '.join(sorted(strangers))}")
    packages = {id(part): part for part in owners.values() if part.places}
    found = [*packages.values(), *system.brought(folder, interpreter)]
    return sorted(found, key=lambda part: part.name.lower())


def known(interpreter: Part) -> dict[str, Part]:
    """Return the owner of each name: of modules, and of packages by the names of their metadata."""
    packages = {one.name: of(one) for one in metadata.distributions()}
    owners = {name.lower().replace("-", "_"): part for name, part in packages.items()}
    owners |= {module: packages[names[0]] for module, names in metadata.packages_distributions().items()}
    # each executable is the bootloader; these modules run first
    owners |= dict.fromkeys(("hfstack", *BOOTSTRAP), packages["pyinstaller"])
    return owners | dict.fromkeys(("base_library", *sys.stdlib_module_names), interpreter) | system.owners(interpreter)


def everything(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield everything in a frozen folder: its place, and the name that leads to its owner."""
    program = CArchiveReader(str(folder / system.PROGRAM))
    for name, entry in program.toc.items():
        if entry[-1] == "o":
            continue  # an option of the interpreter, not a file
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
    yield from ((path.name, "hfstack") for path in folder.iterdir() if path.is_file() and not path.is_symlink())
    for path in (folder / "_internal").iterdir():
        # shared libraries, data or metadata of the modules in the archive
        name = path.name.split("-")[0] if path.suffix == ".dist-info" else path.name.split(".")[0]
        libraries = sorted(path.rglob(f"*{system.EXTENSION}")) if path.is_dir() else []
        for one in libraries or [path]:
            yield one.relative_to(folder).as_posix(), name


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
    """Return whether this is an SPDX expression, or known words for one."""
    return word in LICENCES or (len(word) < 40 and "::" not in word)


def legal(path: str) -> bool:
    """Return whether a file of a package's metadata is a licence, or lists what is compiled in."""
    return any(
        word in path.rpartition(".dist-info/")[2] for word in ("licen", "copying", "notice", "authors", "sboms/")
    )


def main() -> None:
    """Print the parts of the folder given on the command line."""
    found = parts(Path(sys.argv[1]).resolve())
    for part in found:
        if not (part.licence and part.texts):
            sys.exit(f"{part.name} {part.version} has no licence or no licence text")
    json.dump([asdict(part) | {"places": sorted(part.places)} for part in found], sys.stdout, indent=2)


if __name__ == "__main__":
    main()
