"""Files and folders for this account alone, made in the way that the system has for it: modes, or Windows' lists."""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    from .windows import create_private as create
    from .windows import make_private_folder as make_folder
    from .windows import replace
else:

    def create(path: str) -> int:
        """Make a file and open it to write. Raises `OSError` if it is there."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def make_folder(path: str) -> None:
        """Make a folder. Raises `OSError` if it is there."""
        os.mkdir(path, 0o700)

    def replace(source: str, target: str) -> None:
        """Put a file into the place of another. Raises `OSError`."""
        os.replace(source, target)


__all__ = ["create", "make_folder", "replace"]
