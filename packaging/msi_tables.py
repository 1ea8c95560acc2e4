"""Adds what wixl cannot express to an installer's database, with msibuild (from the same package, msitools).

- The versions and languages of files. Without them an upgrade would lose files: Windows Installer considers an
  installed file with a version newer than one without, decides not to install the latter, and then removes the old
  file. Only files without a version have a hash.
- Who may write to the folder: the system and administrators. Users may only read. A folder below C:\\ would inherit
  write access for every user.
- Environment: the entry in the machine's PATH. In the value, `[~];` stands for the present value. In the name, `=` sets
  at installation, `-` removes at removal, `*` means the machine's environment.
- Setting INSTALLDIR is not a deferred action; wixl marks it as one.
- INSTALLDIR is kept when Windows asks for an administrator's consent.
- An upgrade removes the old version right after InstallInitialize, inside the transaction: a failed upgrade leaves the
  old version. wixl removes it earlier.
- The summary of the package, where wixl writes a random code and the time: `settle` replaces them in the file's bytes.
  The format is that of Microsoft's property sets ([MS-OLEPS]).
"""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import wix_files

READABLE = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)"
"""Rights to the folder, in SDDL: 0x1200a9 means read and execute. hfstack.wxs has them too."""

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
"""Marks before version and language in a version resource."""

SUMMARY = bytes.fromhex("e0859ff2f94f6810ab9108002b27b3d9")
"""The format of a summary's property set, at byte 28; the place of the properties follows."""

CODE, CREATED, SAVED = 9, 12, 13
"""Properties of a summary: a text and two times."""

TEXT, TIME = 30, 64
"""Their types."""

FROM_1601 = 11644473600
"""Seconds from 1601, where Windows' time begins, to 1970."""


def finish(package: Path, tree: Path) -> None:
    """Add what wixl could not express to the installer of a folder."""
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
    """Return version and language from the version resource of a program or library, `None` if it has none.

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
    """Set an installer's code, a GUID, and its time. Raises `ValueError` if the summary has another format."""
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
