"""Open files that somebody else may have put there: never wait for one, never read one without end.

A named pipe, a device, a folder or a file of 20 GB in the place of a file is an `OSError` at once; its `strerror` says
what was found. In the work directory, files and folders must also be hfstack's own: no links, owned by an account that
hfstack trusts, and writable by nobody else. On Windows only links and junctions are refused, because there the access
list of the work directory decides who may write.
"""

from __future__ import annotations

import errno
import os
import stat

LIMIT = 64 * 1024 * 1024
"""The most bytes of a record or a cache that are read. The largest that hfstack can write, for 10,000 machines with the
longest messages, has 60 MiB; usual ones have a few kilobytes."""

DOCUMENT_LIMIT = 16 * 1024 * 1024
"""The most bytes of a document that people or HostFactory write. HostFactory's own are smaller than a megabyte."""

FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
NO_LINK = getattr(os, "O_NOFOLLOW", 0)

CHUNK = 64 * 1024

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a link",
    stat.S_IFREG: "a file",
}


class Untrusted(OSError):
    """What is at `filename` may not be hfstack's own, so hfstack neither believes it nor writes there."""


def read(path: str, limit: int = DOCUMENT_LIMIT) -> bytes:
    """Return the content of a regular file, to which links may lead. Raises `OSError`."""
    handle, status = open_regular(path, os.O_RDONLY)
    try:
        return content(handle, status, limit)
    finally:
        os.close(handle)


def read_own(path: str, workdir: str, not_for: int = 0o022) -> bytes:
    """Return the content of a file that hfstack wrote below the work directory. Raises `OSError`.

    `not_for` are the bits of the mode that a file may not have.
    """
    handle, status = open_regular(path, os.O_RDONLY, follow=False)
    try:
        check_own(path, status, workdir, not_for)
        return content(handle, status, LIMIT)
    finally:
        os.close(handle)


def open_regular(path: str, flags: int, *, follow: bool = True) -> tuple[int, os.stat_result]:
    """Open a regular file without waiting for anything; with `follow`, links may lead to it. Raises `OSError`."""
    look = os.stat if follow else os.lstat
    if follow or not NO_LINK:
        # some devices act when they are opened, and Windows cannot refuse a link then
        try:
            status = look(path)
        except OSError as error:
            # Windows has other words than Python for the same error
            raise OSError(error.errno, os.strerror(error.errno or 0), path) from None
        check_kind(path, status)
    try:
        handle = os.open(path, flags | FLAGS | (0 if follow else NO_LINK))
    except FileNotFoundError:
        raise
    except OSError:
        # what is there says more than the system does
        check_kind(path, look(path))
        raise
    status = os.fstat(handle)
    try:
        check_kind(path, status)
    except OSError:
        os.close(handle)
        raise
    return handle, status


def content(handle: int, status: os.stat_result, limit: int) -> bytes:
    """Return what an open file contains. Raises `OSError` if it has more bytes than the limit."""
    if status.st_size <= limit:
        found = bytearray()
        while len(found) <= limit:
            part = os.read(handle, CHUNK)
            if not part:
                return bytes(found)
            found += part
    raise too_large(limit)


def too_large(limit: int) -> OSError:
    """Return the error for a file that has more bytes than the limit."""
    most = f"{limit // 1024 // 1024} MiB" if limit >= 1024 * 1024 else f"{limit} bytes"
    return OSError(errno.EFBIG, f"found more than {most}")


def check_folder(path: str, workdir: str) -> None:
    """Check that a folder below the work directory is hfstack's own. Raises `Untrusted`, and `OSError` without it."""
    status = os.lstat(path)
    check_kind(path, status, "a folder")
    check_own(path, status, workdir)


def check_file(path: str, workdir: str) -> None:
    """Check that a file below the work directory is hfstack's own, without opening it. Raises `OSError`."""
    status = os.lstat(path)
    check_kind(path, status)
    check_own(path, status, workdir)


def check_kind(path: str, status: os.stat_result, wanted: str = "a file") -> None:
    """Raise `Untrusted` unless the path is a regular file, or a folder, and no junction of Windows."""
    found = KINDS.get(stat.S_IFMT(status.st_mode), "something else")
    if getattr(status, "st_reparse_tag", 0) == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1):
        found = "a junction"
    if found != wanted:
        regular = "a regular file" if wanted == "a file" else wanted
        raise Untrusted(errno.EINVAL, f"found {found}, wanted {regular}", path)


def check_own(path: str, status: os.stat_result, workdir: str, not_for: int = 0o022) -> None:
    """Raise `Untrusted` if an account that hfstack does not trust owns a file or folder, or may write to it.

    hfstack trusts its own account, root, and the owner of the work directory.
    """
    if not hasattr(os, "geteuid"):
        return
    me, owner = os.geteuid(), status.st_uid
    if owner not in {me, 0} and owner != os.stat(workdir).st_uid:
        raise Untrusted(
            errno.EPERM,
            f"its owner is uid {owner}, wanted this account (uid {me}), root or the owner of the work directory: "
            "change its owner (chown)",
            path,
        )
    mode = stat.S_IMODE(status.st_mode)
    if mode & not_for:
        raise Untrusted(
            errno.EPERM,
            f"its mode is {mode:04o}, so others may have changed it: check its content, then run chmod go-w",
            path,
        )


def foreign_owner(folder: str) -> os.stat_result | None:
    """Return the state of a folder that belongs to another account while root runs hfstack, `None` otherwise."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    status = os.stat(folder or os.curdir)
    return status if status.st_uid else None
