"""A part of the product: it has its own name, version and licence."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass
class Part:
    """What the SBOM says about it, and its licence texts."""

    name: str
    version: str
    purl: str
    licence: str
    """An SPDX expression."""
    texts: list[str]
    """The files with the licence's text."""
    places: set[str] = field(default_factory=set)
    """Its files and folders below the frozen folder, and its modules as `hfstack:requests`."""


def texts(name: str) -> list[str]:
    """Return the texts of a licence that no package includes."""
    return [str(path) for path in sorted((HERE / "licences").glob(f"{name}.*"))]
