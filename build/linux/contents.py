"""Check the contents of a frozen folder: `python contents.py FOLDER` fails if anything is missing or unexpected.

The Python that froze the folder must run it, because PyInstaller reads the archive. Prints the size of each part.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from PyInstaller.archive.readers import CArchiveReader

LIMIT = 35_000_000
"""The largest size of the folder, in bytes."""

PACKAGES = {
    "hfstack": "the program",
    "openstack": "openstacksdk: clouds.yaml, regions, vendors; it imports all of its services at once",
    "keystoneauth1": "every login, and the session",
    "os_service_types": "names of the services; openstacksdk",
    "requests": "HTTP of keystoneauth1",
    "urllib3": "HTTP of requests",
    "charset_normalizer": "requests",
    "idna": "requests",
    "certifi": "build/linux/host: the certificates that the host trusts; requests",
    "stevedore": "finds the logins of keystoneauth1",
    "iso8601": "when a token ends; keystoneauth1",
    "pbr": "versions of the OpenStack libraries; openstacksdk and os_service_types",
    "platformdirs": "where clouds.yaml may be; openstacksdk",
    "yaml": "clouds.yaml",
    "decorator": "openstacksdk",
    "dogpile": "openstacksdk",
    "jmespath": "openstacksdk",
    "jsonpatch": "openstacksdk",
    "jsonpointer": "jsonpatch",
    "psutil": "openstacksdk",
    "pydantic": "settings and templates",
    "pydantic_core": "pydantic",
    "annotated_types": "pydantic",
    "typing_extensions": "pydantic",
    "typing_inspection": "pydantic",
    "rich": "tables of the administrator's command",
}
"""The top-level packages in the archive beside the standard library, and who uses them. Each must be there."""

UNWANTED = {"asyncio", "doctest", "ensurepip", "multiprocessing", "pdb", "pydoc", "sqlite3", "tkinter", "unittest"}
"""Modules of the standard library that hfstack never uses."""

FILES = (
    r"hfstack",
    r"_internal/libpython3\.\d+\.so\.1\.0",
    r"_internal/base_library\.zip",
    r"_internal/(pydantic_core|yaml|charset_normalizer)/\w+\.cpython-\w+-x86_64-linux-gnu\.so",
    r"_internal/psutil/_psutil_linux\.abi3\.so",
    r"_internal/openstack/config/(vendors/)?[\w-]+\.json",
    r"_internal/os_service_types/data/service-types\.json",
    r"_internal/(openstacksdk|keystoneauth1|os_service_types)-[\d.]+\.dist-info/(METADATA|entry_points\.txt)",
)
"""The files beside the archive, as regular expressions. Each must match a file."""


def packages(folder: Path) -> Counter[str]:
    """Return the compressed size of each top-level package in the archive, including the standard library."""
    program = CArchiveReader(str(folder / "hfstack"))
    archive = program.open_embedded_archive("PYZ.pyz")
    sizes: Counter[str] = Counter()
    for name, (_kind, _position, length) in archive.toc.items():
        sizes[name.partition(".")[0]] += length
    return sizes


def others(names: Counter[str]) -> set[str]:
    """Return the names that do not belong to the standard library."""
    # only _sysconfigdata has a different name on each platform
    return {name for name in names if name not in sys.stdlib_module_names and not name.startswith("_sysconfigdata_")}


def problems(folder: Path) -> Iterator[str]:
    """Yield what is unexpected, and what is missing."""
    found = packages(folder)
    yield from (f"unexpected package: {name}" for name in sorted(others(found) - set(PACKAGES)))
    yield from (f"missing package: {name}" for name in sorted(set(PACKAGES) - set(found)))
    yield from (f"unexpected module: {name}" for name in sorted(UNWANTED & set(found)))
    files = [
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()
    ]
    yield from (f"unexpected file: {name}" for name in files if not any(re.fullmatch(one, name) for one in FILES))
    yield from (f"missing file: {one}" for one in FILES if not any(re.fullmatch(one, name) for name in files))
    if size(folder) > LIMIT:
        yield f"{folder} has {size(folder)} bytes, the limit is {LIMIT}"


def size(path: Path) -> int:
    """Return the size of a file, or of all files below a folder, in bytes."""
    below = path.rglob("*") if path.is_dir() else [path]
    return sum(one.stat().st_size for one in below if one.is_file() and not one.is_symlink())


def parts(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield the parts of a folder with their sizes, the largest first."""
    archived = packages(folder)
    inside = {
        "modules of other packages": sum(archived[name] for name in others(archived) - {"hfstack"}),
        "modules of the standard library": sum(archived.values()) - sum(archived[name] for name in others(archived)),
        "modules of hfstack": archived["hfstack"],
    }
    beside = {path.name: size(path) for path in (folder / "_internal").iterdir()}
    rest = {"bootloader and table of contents": size(folder / "hfstack") - sum(inside.values())}
    yield from Counter({**inside, **beside, **rest}).most_common()


def main() -> None:
    """Print each problem, or the parts."""
    folder = Path(sys.argv[1])
    found = list(problems(folder))
    if found:
        sys.exit("\n".join(found))
    for name, length in parts(folder):
        if length >= 100_000:
            print(f"{length / 1e6:6.2f} MB  {name}")
    print(f"{size(folder) / 1e6:6.2f} MB  {folder.name}")


if __name__ == "__main__":
    main()
