"""Files on Windows, where they behave in other ways: loaded there alone.

- A file that another process has open, a virus scanner for example, can be neither renamed nor replaced: a moment later
  it can. Python opens files in this way.
- The C runtime's O_APPEND moves to the end and then writes, so two processes may write over each other's line. The
  system's own right to append does both in one step.
- A mode means nothing; what does is the access control list.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
"""Seconds before a rename is tried again."""

SHARED = 7
"""Others may read, write, and rename or delete the file meanwhile (FILE_SHARE_READ, _WRITE and _DELETE)."""

NORMAL = 0x80
CREATE_NEW, OPEN_ALWAYS = 1, 4
GENERIC_WRITE, FILE_APPEND_DATA = 0x40000000, 4

PRIVATE = "D:P(A;{how};FA;;;SY)(A;{how};FA;;;BA)(A;{how};FA;;;OW)"
"""In SDDL: all rights for the system, for administrators and for the owner, and nothing from the folder above.

By the owner, not by the account's own id: over a network share an account may be known by another one.
"""
FILE, FOLDER = "", "OICI"
"""How the rights are given: for the file alone, or for what will be in the folder, too."""


def with_retries(action: Callable[[str, str], object], source: str, target: str) -> None:
    """Rename or replace a file, again while somebody has one of them open. Raises `OSError` when that does not end."""
    for pause in PAUSES:
        try:
            action(source, target)
        except PermissionError:
            time.sleep(pause)
        else:
            return
    action(source, target)


def replace(source: str, target: str) -> None:
    """Put a file into the place of another. Raises `OSError`."""
    with_retries(os.replace, source, target)


if sys.platform == "win32":

    def open_to_append(path: str) -> int:
        """Open a file, or make it, so that each write lands at its end. Raises `OSError`."""
        import _winapi
        import msvcrt

        handle = _winapi.CreateFile(path, FILE_APPEND_DATA, SHARED, 0, OPEN_ALWAYS, NORMAL, 0)
        return msvcrt.open_osfhandle(handle, os.O_APPEND | os.O_BINARY)

    def create_private(path: str) -> int:
        """Make a file that only the system, administrators and its owner can open. Raises `OSError` if it is there."""
        import ctypes
        import msvcrt
        from ctypes import wintypes

        create = ctypes.WinDLL("kernel32", use_last_error=True).CreateFileW
        create.restype = wintypes.HANDLE
        create.argtypes = (
            *(wintypes.LPCWSTR, wintypes.DWORD, wintypes.DWORD, wintypes.LPVOID),
            *(wintypes.DWORD, wintypes.DWORD, wintypes.HANDLE),
        )
        with described(PRIVATE.format(how=FILE)) as attributes:
            handle = create(path, GENERIC_WRITE, 0, attributes, CREATE_NEW, NORMAL, None)
            if handle == wintypes.HANDLE(-1).value:
                raise ctypes.WinError(ctypes.get_last_error())
        return msvcrt.open_osfhandle(handle, os.O_BINARY)

    def make_private_folder(path: str) -> None:
        """Make a folder with such rights, which what is made in it inherits. Raises `OSError` if it is there.

        Python 3.11.9 does not give os.mkdir's mode this meaning; later versions do, for the mode 0o700.
        """
        import ctypes
        from ctypes import wintypes

        make = ctypes.WinDLL("kernel32", use_last_error=True).CreateDirectoryW
        make.argtypes = (wintypes.LPCWSTR, wintypes.LPVOID)
        with described(PRIVATE.format(how=FOLDER)) as attributes:
            if not make(path, attributes):
                raise ctypes.WinError(ctypes.get_last_error())

    @contextmanager
    def described(sddl: str) -> Iterator[object]:
        """Hand out the SECURITY_ATTRIBUTES for a description of rights. Raises `OSError`."""
        import ctypes
        from ctypes import wintypes

        class SecurityAttributes(ctypes.Structure):
            _fields_ = (
                ("length", wintypes.DWORD),
                ("descriptor", wintypes.LPVOID),
                ("inherit", wintypes.BOOL),
            )

        free = ctypes.WinDLL("kernel32").LocalFree
        free.argtypes = (wintypes.LPVOID,)
        convert = ctypes.WinDLL("advapi32", use_last_error=True).ConvertStringSecurityDescriptorToSecurityDescriptorW
        convert.argtypes = (wintypes.LPCWSTR, wintypes.DWORD, wintypes.LPVOID, wintypes.LPVOID)
        descriptor = wintypes.LPVOID()
        if not convert(sddl, 1, ctypes.byref(descriptor), None):
            raise ctypes.WinError(ctypes.get_last_error())
        try:
            yield ctypes.byref(SecurityAttributes(ctypes.sizeof(SecurityAttributes), descriptor, False))
        finally:
            free(descriptor)
