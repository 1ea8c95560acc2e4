"""CONTRIBUTING.md names tests that exist; a commit is checked by the versions of `make check`; actions are pinned."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_what_its_commands_test_is_there() -> None:
    commands = re.findall(r"-m pytest -q ([^`]+)`", PAGE)
    assert len(commands) > 4
    assert {path for command in commands for path in command.split() if not (ROOT / path).exists()} == set()


def test_it_names_tests_that_are_there() -> None:
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "tests" / "unit").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", PAGE)
    assert named
    assert [name for name in named if f"def {name}(" not in sources] == []


@pytest.mark.parametrize("tool", ["codespell", "ruff"])
def test_a_commit_is_checked_by_what_make_check_uses(tool: str) -> None:
    locked = re.search(rf"^{tool}==(\S+)", (ROOT / "build" / "requirements.txt").read_text("utf-8"), re.MULTILINE)
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    pinned = re.search(rf"repo: \S+/{tool}(?:-pre-commit)?\n    rev: (?:\w+  # frozen: )?v(\S+)\n", hooks)
    assert locked
    assert pinned
    assert locked[1] == pinned[1]


def test_githubs_files_are_yaml() -> None:
    for path in (ROOT / ".github").rglob("*.yml"):
        assert isinstance(yaml.safe_load(path.read_text("utf-8")), dict), path


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(path: Path) -> None:
    text = path.read_text("utf-8")
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    used = re.findall(r"uses: (.*)", text)
    assert used
    assert [one for one in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)] == []
