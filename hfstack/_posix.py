"""Create files and folders where accounts have numbers and files have modes: everywhere but on Windows.

What root makes in a folder of another account belongs to that account before it gets its name. Otherwise one call by
root would lock HostFactory's account out.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from hfstack._files import foreign_owner

NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


def create_private(path: str, mode: int = 0o600) -> int:
    """Create a file and open it for writing. Raises `OSError` if it exists."""
    handle = os.open(path, NEW, mode)
    try:
        hand_over(handle, os.path.dirname(path))
    except OSError:
        os.close(handle)
        os.unlink(path)
        raise
    return handle


def make_private_folder(path: str, mode: int = 0o700) -> None:
    """Create a folder. Raises `OSError` if it exists."""
    above, name = os.path.split(path)
    if foreign_owner(above) is None:
        os.mkdir(path, mode)
        return
    temporary = os.path.join(above, f".{name}.{os.urandom(16).hex()}")
    os.mkdir(temporary, mode)
    try:
        # by a handle, because the owner of the folder above could give the name to something else meanwhile
        handle = os.open(temporary, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0))
        try:
            hand_over(handle, above)
        finally:
            os.close(handle)
        os.rename(temporary, path)
    except OSError as error:
        os.rmdir(temporary)
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
            raise FileExistsError(error.errno, error.strerror, path) from None
        raise


def replace(source: str, target: str) -> None:
    """Move a file to `target`, which may exist. Raises `OSError`."""
    os.replace(source, target)


def create_log(path: str) -> None:
    """Create an empty log, and the folders above it, unless another process is first. Raises `OSError`."""
    folder = os.path.dirname(path)
    make_folders(folder)
    temporary = path if foreign_owner(folder) is None else f"{path}.{os.urandom(16).hex()}"
    with suppress(FileExistsError):
        os.close(create_private(temporary, 0o640))
        if temporary != path:
            try:
                os.link(temporary, path)
            finally:
                os.unlink(temporary)


def make_folders(path: str) -> None:
    """Make a folder and those above it, if they do not exist. Raises `OSError`."""
    if path and not os.path.isdir(path):
        make_folders(os.path.dirname(path))
        with suppress(FileExistsError):
            make_private_folder(path, 0o777)


def hand_over(handle: int, folder: str) -> None:
    """Give what root has just made, and holds open, to the account that owns the folder. Raises `OSError`."""
    account = foreign_owner(folder)
    if account and os.fstat(handle).st_uid != account.st_uid:
        os.chown(handle, account.st_uid, account.st_gid)
