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
from collections.abc import Callable

PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
"""Seconds before a rename is tried again."""

SHARED = 7
"""Others may read, write, and rename or delete the file meanwhile (FILE_SHARE_READ, _WRITE and _DELETE)."""

NORMAL = 0x80
CREATE_NEW, OPEN_ALWAYS = 1, 4
GENERIC_WRITE, FILE_APPEND_DATA = 0x40000000, 4

PRIVATE = "D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;OW)"
"""In SDDL: all rights for the system, for administrators and for the file's owner, and nothing from the folder above.

By the owner, not by the account's own id: over a network share an account may be known by another one.
"""


def patiently(action: Callable[[str, str], object], source: str, target: str) -> None:
    """Rename or replace a file, again while somebody has one of them open. Raises `OSError` when that does not end."""
    for pause in PAUSES:
        try:
            action(source, target)
        except PermissionError:
            time.sleep(pause)
        else:
            return
    action(source, target)


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

        class SecurityAttributes(ctypes.Structure):
            _fields_ = (
                ("length", wintypes.DWORD),
                ("descriptor", wintypes.LPVOID),
                ("inherit", wintypes.BOOL),
            )

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        security = ctypes.WinDLL("advapi32", use_last_error=True)
        kernel.CreateFileW.restype = wintypes.HANDLE
        kernel.CreateFileW.argtypes = (
            wintypes.LPCWSTR,
            wintypes.DWORD,
            wintypes.DWORD,
            ctypes.POINTER(SecurityAttributes),
            wintypes.DWORD,
            wintypes.DWORD,
            wintypes.HANDLE,
        )
        kernel.LocalFree.argtypes = (wintypes.LPVOID,)

        attributes = SecurityAttributes(ctypes.sizeof(SecurityAttributes), None, False)
        descriptor = wintypes.LPVOID()
        if not security.ConvertStringSecurityDescriptorToSecurityDescriptorW(
            wintypes.LPCWSTR(PRIVATE), wintypes.DWORD(1), ctypes.byref(descriptor), None
        ):
            raise ctypes.WinError(ctypes.get_last_error())
        try:
            attributes.descriptor = descriptor
            handle = kernel.CreateFileW(path, GENERIC_WRITE, 0, ctypes.byref(attributes), CREATE_NEW, NORMAL, None)
            if handle == wintypes.HANDLE(-1).value:
                raise ctypes.WinError(ctypes.get_last_error())
        finally:
            kernel.LocalFree(descriptor)
        return msvcrt.open_osfhandle(handle, os.O_BINARY)
