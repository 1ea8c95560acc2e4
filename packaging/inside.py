"""What is inside a frozen folder: `python inside.py FOLDER` prints its parts as JSON.

To be run with the Python that froze the folder. Around it is everything there is to know: PyInstaller, the metadata of
the packages, and the interpreter itself. A file or a module that belongs to no part is an error: nothing gets in
without a name, a version and a licence.
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
"""hfstack's own modules, and those of its build that stand in for other people's."""

MODULES = "hfstack:"
"""Modules are in an archive within the executable; `hfstack:requests` says where."""

BOOTSTRAP = ("pyiboot01_bootstrap", "pyimod01_archive", "pyimod02_importers", "pyimod03_ctypes", "pyimod04_pywin32")
"""PyInstaller's own modules; which of them there are depends on the system."""

LICENCES = {
    "GPLv2-or-later with a special exception which allows to use PyInstaller to build and distribute non-free programs "
    "(including commercial ones)": "GPL-2.0-or-later WITH Bootloader-exception",
    "License :: OSI Approved :: MIT License": "MIT",
}
"""SPDX expressions for what packages say in other words."""


def parts(folder: Path) -> list[Part]:
    """Return the parts of a frozen folder. Raises `SystemExit` for what belongs to none."""
    interpreter = system.interpreter()
    owners = known(interpreter)
    strangers = []
    for place, name in everything(folder):
        owner = owners.get(name)
        if owner is None:
            strangers.append(place)
        elif owner is not interpreter or not place.startswith(MODULES):
            # (a hundred modules of the standard library would say no more than the interpreter's own files do)
            owner.places.add(place)
    if strangers:
        sys.exit(f"{folder}: it is not known what these belong to: {', '.join(sorted(strangers))}")
    packages = {id(part): part for part in owners.values() if part.places}
    found = [*packages.values(), *system.brought(folder, interpreter)]
    return sorted(found, key=lambda part: part.name.lower())


def known(interpreter: Part) -> dict[str, Part]:
    """Return what belongs to what: modules, and packages by the names of their metadata."""
    packages = {one.name: of(one) for one in metadata.distributions()}
    owners = {name.lower().replace("-", "_"): part for name, part in packages.items()}
    owners |= {module: packages[names[0]] for module, names in metadata.packages_distributions().items()}
    # the bootloader, which each executable is, and what it runs first
    owners |= dict.fromkeys(("hfstack", *BOOTSTRAP), packages["pyinstaller"])
    return owners | dict.fromkeys(("base_library", *sys.stdlib_module_names), interpreter) | system.owners(interpreter)


def everything(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each thing that is in a frozen folder: its place, and the name by which its owner is known."""
    program = CArchiveReader(str(folder / system.PROGRAM))
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
    yield from ((path.name, "hfstack") for path in folder.iterdir() if path.is_file() and not path.is_symlink())
    for path in (folder / "_internal").iterdir():
        # beside the modules in the archive there are their shared libraries, their data, or their metadata
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
    """Return whether that is an SPDX expression, or words that are known to mean one."""
    return word in LICENCES or (len(word) < 40 and "::" not in word)


def legal(path: str) -> bool:
    """Return whether a file of a package's metadata is its licence, or names what is compiled in."""
    return any(
        word in path.rpartition(".dist-info/")[2] for word in ("licen", "copying", "notice", "authors", "sboms/")
    )


def main() -> None:
    """Print the parts of the folder that the command line names."""
    found = parts(Path(sys.argv[1]).resolve())
    for part in found:
        if not (part.licence and part.texts):
            sys.exit(f"{part.name} {part.version} has no licence, or no text of it")
    json.dump([asdict(part) | {"places": sorted(part.places)} for part in found], sys.stdout, indent=2)


if __name__ == "__main__":
    main()
