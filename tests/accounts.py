"""Work as another account, and a provider instance whose work and log folders belong to one. Only root can."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.provider import provider_variables

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can work as another account")

ACCOUNT, GROUP, OTHER = 1001, 1002, 1003


@contextmanager
def account(uid: int, gid: int = GROUP) -> Iterator[None]:
    """Work as an account, with its rights only."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


@contextmanager
def accounts_site() -> Iterator[dict[str, str]]:
    """Make the folders of a provider whose work and log folders belong to the account; yields its variables."""
    # not below pytest's folder, which only root may enter
    folder = Path(tempfile.mkdtemp(prefix="hfstack-accounts-"))
    folder.chmod(0o755)
    variables = provider_variables(folder)
    for name in ("work", "log"):
        os.chown(folder / name, ACCOUNT, GROUP)
    yield variables
    shutil.rmtree(folder)
