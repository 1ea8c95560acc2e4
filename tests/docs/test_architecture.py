"""docs/architecture.md names every room of the package, and none that is not there."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict

from tests import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
PICTURE = (ROOT / "docs" / "architecture.svg").read_text("utf-8")
ROOMS = {
    path.name
    for path in (ROOT / "hfstack").iterdir()
    if path.name != "__init__.py" and (path.suffix == ".py" or (path / "__init__.py").exists())
}


def test_what_the_page_names_is_there() -> None:
    named = {match[1].rstrip("/") for match in re.finditer(r"`((?:hfstack|tests|scripts|docs)/[\w./-]*)`", PAGE)}
    linked = {f"docs/{target}" for target in re.findall(r"\]\(([^)#]+)", PAGE)}
    assert len(named) > 40
    assert {path for path in named | linked if not (ROOT / path).exists()} == set()


def test_the_page_has_a_line_for_every_room() -> None:
    lines = set(re.findall(r"^\| `hfstack/([\w.]+)/?` \|", PAGE, re.MULTILINE))
    assert lines == ROOMS


def test_the_picture_shows_every_room() -> None:
    shown = set(re.findall(r'<text class="name"[^>]*>(\w+)</text>', PICTURE))
    assert shown == {name.removesuffix(".py") for name in ROOMS} - {"__main__"}


def test_the_picture_has_the_floors_of_import_linter() -> None:
    floors: dict[int, set[str]] = defaultdict(set)
    for height, name in re.findall(r'<text class="name" x="\d+" y="(\d+)">(\w+)</text>', PICTURE):
        floors[int(height)].add(name)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contract = project["tool"]["importlinter"]["contracts"][0]
    layers = [set(re.findall(r"hfstack\.(\w+)", layer)) for layer in contract["layers"]]
    assert [floors[height] for height in sorted(floors)] == layers[1:]


def test_the_page_names_every_folder_of_tests() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if (path / "__init__.py").exists()}
    assert set(re.findall(r"`tests/(\w+)/`", PAGE)) == folders
