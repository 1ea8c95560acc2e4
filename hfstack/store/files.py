"""Create files and folders that only this account can read: by their mode, on Windows by their access list."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

RENAME_REFUSES = os.name == "nt"
"""Windows refuses to rename a file to a name that exists; on other systems only a link is refused."""


def write_once(path: str, content: bytes) -> bool:
    """Write a file in one step. Returns `False` if another process was first. Raises `OSError`."""
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{os.urandom(16).hex()}")
    try:
        with os.fdopen(create(temporary), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        won = publish(temporary, path)
    finally:
        with suppress(OSError):
            os.unlink(temporary)
    settle(folder)
    return won


def publish(temporary: str, path: str) -> bool:
    """Give a finished file its name. Returns `False` if the name exists."""
    try:
        if RENAME_REFUSES:
            from hfstack._windows import with_retries

            with_retries(os.rename, temporary, path)
        else:
            os.link(temporary, path)
    except FileExistsError:
        # an NFS client repeats a link when the answer is lost; then the name that exists is its own
        return os.stat(temporary).st_nlink == 2
    return True


def settle(folder: str) -> None:
    """Flush the names in a folder to the disk, where the system can do it: Windows cannot open folders."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


if sys.platform == "win32":
    from hfstack._windows import create_private as create
    from hfstack._windows import make_private_folder as make_folder
    from hfstack._windows import replace
else:
    from hfstack._posix import create_private as create
    from hfstack._posix import make_private_folder as make_folder
    from hfstack._posix import replace

__all__ = ["create", "make_folder", "publish", "replace", "settle", "write_once"]
