"""The provider instance `bank`: its folders and its environment variables."""

from __future__ import annotations

from pathlib import Path


def provider_variables(folder: Path) -> dict[str, str]:
    """Make the three folders of the provider in a folder, and return its variables as HostFactory sets them."""
    variables = {"HF_PROVIDER_NAME": "bank", "HF_LOGLEVEL": "LOG_DEBUG", "EGOSC_INSTANCE_HOST": "master1"}
    for name in ("conf", "work", "log"):
        (folder / name).mkdir()
        variables[f"HF_PROVIDER_{name.upper()}DIR"] = str(folder / name)
    return variables
