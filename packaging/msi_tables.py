"""What wixl cannot say of an installer, added to its database with msibuild (of the same package, msitools).

- The versions of files, and their languages. Without them an upgrade would lose files: Windows Installer takes a file
  that is there and has a version for newer than one that seems to have none, decides not to install that, and then
  removes the old one. Only files without a version have a hash.
- Who may write to the folder: the system and administrators; users may read. A folder below C:\\ would inherit that
  every user may write.
- Environment: the entry in the machine's PATH. In the value, `[~];` stands for what is there already; in the name, `=`
  sets at installation, `-` takes away at removal, `*` means the machine's environment.
- Setting INSTALLDIR is no deferred action; wixl marks it like one.
- INSTALLDIR also counts where Windows asks for an administrator's leave in between.
- An upgrade removes the old version right after InstallInitialize: inside the transaction, so that an upgrade that
  fails leaves the old version. wixl puts it before.
- The summary of the package, in which wixl writes a random code and the time: `settle` puts others there, in the bytes
  of the file. Its form is that of Microsoft's property sets ([MS-OLEPS]).
"""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import wix_files

READABLE = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)"
"""Rights to the folder, in SDDL: 0x1200a9 is to read and to run. Stands in hfstack.wxs, too."""

STATEMENTS = (
    (
        "CREATE TABLE `MsiLockPermissionsEx` (`MsiLockPermissionsEx` CHAR(72) NOT NULL, "
        "`LockObject` CHAR(72) NOT NULL, `Table` CHAR(32) NOT NULL, `SDDLText` CHAR(0) NOT NULL, `Condition` CHAR(255) "
        "PRIMARY KEY `MsiLockPermissionsEx`)"
    ),
    (
        "INSERT INTO `MsiLockPermissionsEx` (`MsiLockPermissionsEx`, `LockObject`, `Table`, `SDDLText`) "
        f"VALUES ('Folder', 'INSTALLDIR', 'CreateFolder', '{READABLE}')"
    ),
    (
        "CREATE TABLE `Environment` (`Environment` CHAR(72) NOT NULL, `Name` CHAR(255) NOT NULL LOCALIZABLE, "
        "`Value` CHAR(255) LOCALIZABLE, `Component_` CHAR(72) NOT NULL PRIMARY KEY `Environment`)"
    ),
    (
        "INSERT INTO `Environment` (`Environment`, `Name`, `Value`, `Component_`) "
        "VALUES ('Path', '=-*PATH', '[~];[INSTALLDIR]bin', 'OnPath')"
    ),
    "INSERT INTO `InstallExecuteSequence` (`Action`, `Sequence`) VALUES ('RemoveEnvironmentStrings', 3300)",
    "INSERT INTO `InstallExecuteSequence` (`Action`, `Sequence`) VALUES ('WriteEnvironmentStrings', 5200)",
    (
        "UPDATE `Property` SET `Value` = 'INSTALLDIR;WIX_DOWNGRADE_DETECTED;WIX_UPGRADE_DETECTED' "
        "WHERE `Property` = 'SecureCustomProperties'"
    ),
    "UPDATE `CustomAction` SET `Type` = 51 WHERE `Action` = 'SameDir'",
    "UPDATE `InstallExecuteSequence` SET `Sequence` = 1501 WHERE `Action` = 'RemoveExistingProducts'",
)

FIXED = bytes.fromhex("bd04effe")
LANGUAGES = "Translation\0".encode("utf-16-le")
"""What stands in a version resource before version and language."""

SUMMARY = bytes.fromhex("e0859ff2f94f6810ab9108002b27b3d9")
"""The kind of property set that a summary is: it stands at byte 28, and behind it the place of the properties."""

CODE, CREATED, SAVED = 9, 12, 13
"""Properties of a summary: a text, and two times."""

TEXT, TIME = 30, 64
"""Their types."""

FROM_1601 = 11644473600
"""Seconds from the beginning of Windows' time to 1970."""


def finish(package: Path, tree: Path) -> None:
    """Add to the installer of a folder what wixl could not."""
    statements = list(STATEMENTS)
    for path in binaries(tree):
        found = version(path.read_bytes())
        if found:
            key = wix_files.name("f", path.relative_to(tree).as_posix())
            values = f"`Version` = '{found[0]}', `Language` = '{found[1]}'"
            statements += [
                f"UPDATE `File` SET {values} WHERE `File` = '{key}'",
                f"DELETE FROM `MsiFileHash` WHERE `File_` = '{key}'",
            ]
    subprocess.run(["msibuild", package, "-q", *statements], check=True)


def binaries(tree: Path) -> list[Path]:
    """Return the programs and libraries below a folder."""
    return sorted(path for path in tree.rglob("*") if path.suffix.lower() in {".exe", ".dll", ".pyd"})


def version(content: bytes) -> tuple[str, int] | None:
    """Return version and language of a program or library, from its version resource; `None` if it has none.

    The resource has a VS_FIXEDFILEINFO, which begins with a signature, and a list of languages (VarFileInfo).
    """
    start = content.find(FIXED)
    if start < 0:
        return None
    high, low = struct.unpack_from("<II", content, start + 8)
    at = content.index(LANGUAGES, start) + len(LANGUAGES)
    (language,) = struct.unpack_from("<H", content, at + -at % 4)
    return f"{high >> 16}.{high & 0xFFFF}.{low >> 16}.{low & 0xFFFF}", language


def settle(package: Path, code: str, seconds: int) -> None:
    """Give an installer its code, a GUID, and its time. Raises `ValueError` if its summary has another form."""
    content = bytearray(package.read_bytes())
    start = content.index(SUMMARY) - 28
    (offset,) = struct.unpack_from("<I", content, start + 44)
    section = start + offset
    _, count = struct.unpack_from("<II", content, section)
    places = dict(struct.unpack_from("<II", content, section + 8 + 8 * number) for number in range(count))
    values = {
        CODE: (TEXT, f"{{{code}}}\0".encode()),
        CREATED: (TIME, struct.pack("<Q", (seconds + FROM_1601) * 10_000_000)),
        SAVED: (TIME, struct.pack("<Q", (seconds + FROM_1601) * 10_000_000)),
    }
    for number, (kind, value) in values.items():
        place = section + places[number]
        found, length = struct.unpack_from("<II", content, place)
        if found != kind or (kind == TEXT and length != len(value)):
            raise ValueError(f"property {number} of the summary of {package} is of type {found} and length {length}")
        at = place + (8 if kind == TEXT else 4)
        content[at : at + len(value)] = value
    package.write_bytes(content)
