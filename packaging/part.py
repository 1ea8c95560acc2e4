"""A part of what is shipped: something that has a name, a version and a licence of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass
class Part:
    """What the SBOM says of it, and the texts that go along."""

    name: str
    version: str
    purl: str
    licence: str
    """An SPDX expression."""
    texts: list[str]
    """The files with the licence's text."""
    places: set[str] = field(default_factory=set)
    """Where it is: files and folders below the frozen folder, modules as `hfstack:requests`."""


def texts(name: str) -> list[str]:
    """Return where a licence is that comes with no package."""
    return [str(path) for path in sorted((HERE / "licences").glob(f"{name}.*"))]
