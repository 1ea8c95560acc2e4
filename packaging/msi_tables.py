"""What wixl cannot say of an installer, added to its database with msibuild (of the same package, msitools).

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

STATEMENTS = (
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

SUMMARY = bytes.fromhex("e0859ff2f94f6810ab9108002b27b3d9")
"""The kind of property set that a summary is: it stands at byte 28, and behind it the place of the properties."""

CODE, CREATED, SAVED = 9, 12, 13
"""Properties of a summary: a text, and two times."""

TEXT, TIME = 30, 64
"""Their types."""

FROM_1601 = 11644473600
"""Seconds from the beginning of Windows' time to 1970."""


def finish(package: Path) -> None:
    """Add to an installer what wixl could not."""
    for statement in STATEMENTS:
        subprocess.run(["msibuild", package, "-q", statement], check=True)


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
