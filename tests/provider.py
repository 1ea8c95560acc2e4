"""The provider instance `bank`: its folders and its environment variables."""

from __future__ import annotations

from pathlib import Path

from hfstack.store.folders import MARKER
from hfstack.store.write import MARKED


def provider_variables(folder: Path) -> dict[str, str]:
    """Make the three folders of the provider in a folder, and return its variables as HostFactory sets them."""
    variables = {"HF_PROVIDER_NAME": "bank", "HF_LOGLEVEL": "LOG_DEBUG", "EGOSC_INSTANCE_HOST": "master1"}
    for name in ("conf", "work", "log"):
        (folder / name).mkdir()
        variables[f"HF_PROVIDER_{name.upper()}DIR"] = str(folder / name)
    return variables


def mark_as_used(workdir: Path) -> None:
    """Leave what the first record leaves: without it, a work directory may be an empty mount point."""
    marker = workdir / "requests" / MARKER
    marker.parent.mkdir()
    marker.write_bytes(MARKED)
