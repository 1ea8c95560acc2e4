"""Takes the example configuration files from docs/hostfactory-setup.md: what the page shows is what is installed.

A comment before each file names it: `<!-- example: symphony-7.3/hostProviders.json -->`.
"""

from __future__ import annotations

import re
from pathlib import Path

EXAMPLE = re.compile(r"^<!-- example: (\S+) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(page: str) -> dict[str, str]:
    """Return the files of a page by their names, which may include folders."""
    return dict(EXAMPLE.findall(page))


def write(page: Path, folder: Path) -> None:
    """Write the files of a page below a folder."""
    for name, text in examples(page.read_text("utf-8")).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
