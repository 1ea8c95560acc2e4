"""Files on Windows, where they behave differently. Loaded only there.

- While another process, such as a virus scanner, has a file open, it can be neither renamed nor replaced. Python opens
  files in this way, too. A retry soon succeeds.
- The C runtime's O_APPEND moves to the end and then writes, so two processes may overwrite each other's line. The
  system's append right does both in one step.
- File modes have no effect; access control lists do.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
"""How long to wait before each retry of a rename (seconds)."""

SHARED = 7
"""Other processes may read, write, rename and delete the open file (FILE_SHARE_READ, _WRITE and _DELETE)."""

NORMAL = 0x80
CREATE_NEW, OPEN_ALWAYS = 1, 4
GENERIC_WRITE, FILE_APPEND_DATA = 0x40000000, 4

PRIVATE = "D:P(A;{how};FA;;;SY)(A;{how};FA;;;BA)(A;{how};FA;;;OW)"
"""In SDDL: all rights for the system, for administrators and for the owner; nothing inherited from the parent folder.

It names the owner, not the account's id, because an account may have another id on a network share.
"""
FILE, FOLDER = "", "OICI"
"""How the rights apply: to the file, or also to everything created in the folder."""


def with_retries(action: Callable[[str, str], object], source: str, target: str) -> None:
    """Rename or replace a file, with retries while another process has either open. Raises `OSError` after the last."""
    for pause in PAUSES:
        try:
            action(source, target)
        except PermissionError:
            time.sleep(pause)
        else:
            return
    action(source, target)


def replace(source: str, target: str) -> None:
    """Move a file to `target`, which may exist. Raises `OSError`."""
    with_retries(os.replace, source, target)


if sys.platform == "win32":

    def open_to_append(path: str) -> int:
        """Open or create a file so that each write lands at its end. Raises `OSError`."""
        import _winapi
        import msvcrt

        handle = _winapi.CreateFile(path, FILE_APPEND_DATA, SHARED, 0, OPEN_ALWAYS, NORMAL, 0)
        return msvcrt.open_osfhandle(handle, os.O_APPEND | os.O_BINARY)

    def create_private(path: str) -> int:
        """Create a file that only the system, administrators and its owner can open. Raises `OSError` if it exists."""
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
        """Create a folder with the same rights, which its contents inherit. Raises `OSError` if it exists.

        Later versions of Python than 3.11.9 do this in os.mkdir for the mode 0o700.
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
        """Yield the SECURITY_ATTRIBUTES of a description of rights in SDDL. Raises `OSError`."""
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
