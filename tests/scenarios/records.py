"""The records in a site's work directory, as a test looks at them, ages them, and puts an earlier copy back.

Deadlines count from the modification times of the facts, so a test ages a request by setting these.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.scenarios.site import Site


def folder(site: Site) -> Path:
    """Return the folder of all requests."""
    return site.workdir / "requests"


def tree(site: Site) -> dict[str, tuple[bytes, int]]:
    """Return the content and the modification time (nanoseconds) of every file below `requests/`, by its path."""
    files = [path for path in folder(site).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder(site))): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def put_back(site: Site, copy: dict[str, tuple[bytes, int]], *, fresh: bool = False) -> None:
    """Make `requests/` what it was: as a backup that keeps times, or as one with `fresh` times."""
    now = tree(site)
    for name in now.keys() - copy.keys():
        (folder(site) / name).unlink()
    for path in folder(site).iterdir():
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    for name, (content, modified_at) in copy.items():
        path = folder(site) / name
        if now.get(name, ())[:1] != (content,):
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o600)
        os.utime(path, None if fresh else (modified_at / 1e9, modified_at / 1e9))


def age(site: Site, seconds: float, *request_ids: str) -> None:
    """Make the facts of some requests, else of all, look as if they had been recorded some seconds earlier."""
    for request_id in request_ids or [path.name for path in folder(site).iterdir() if path.is_dir()]:
        for path in (folder(site) / request_id).iterdir():
            modified_at = path.stat().st_mtime - seconds
            os.utime(path, (modified_at, modified_at))


def recorded(site: Site, request_id: str) -> list[str]:
    """Return the names of a request's facts, sorted."""
    path = folder(site) / request_id
    return sorted(fact.name for fact in path.iterdir()) if path.is_dir() else []
