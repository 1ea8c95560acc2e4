"""The list of files of an installer for Windows: a WiX 3 fragment with a component for each file.

Windows Installer requires that a path has the same component in every version: its GUID is made from the path.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import quoteattr

NAMESPACE = uuid.UUID("0b6e2b3c-1e0f-5a57-9d34-6c0b7c5e8f11")
"""The namespace of all GUIDs here."""


def guid(what: str) -> str:
    """Return the GUID for a text, as Windows writes it."""
    return str(uuid.uuid5(NAMESPACE, what)).upper()


def name(kind: str, path: str) -> str:
    """Return a name for a row of the database: at most 72 characters, and no punctuation."""
    return kind + hashlib.sha256(path.encode()).hexdigest()[:32]


def below(folder: Path, tree: Path) -> Iterator[str]:
    """Yield the lines for the contents of a folder."""
    for path in sorted(folder.iterdir()):
        relative = path.relative_to(tree).as_posix()
        if path.is_dir():
            yield f"<Directory Id='{name('d', relative)}' Name={quoteattr(path.name)}>"
            yield from below(path, tree)
            yield "</Directory>"
        else:
            names = f"Name={quoteattr(path.name)} Source={quoteattr(relative)}"
            yield f"<Component Id='{name('c', relative)}' Guid='{guid(relative)}' Win64='yes'>"
            yield f"<File Id='{name('f', relative)}' {names} KeyPath='yes'/></Component>"


def fragment(tree: Path) -> str:
    """Return the fragment for all files below a folder, with paths relative to it."""
    files = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file())
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<Wix xmlns="http://schemas.microsoft.com/wix/2006/wi">',
        "<Fragment><DirectoryRef Id='INSTALLDIR'>",
        *below(tree, tree),
        "</DirectoryRef></Fragment>",
        "<Fragment><ComponentGroup Id='Files'>",
        *(f"<ComponentRef Id='{name('c', path)}'/>" for path in files),
        "</ComponentGroup></Fragment>",
        "</Wix>",
    ]
    return "\n".join(lines) + "\n"
