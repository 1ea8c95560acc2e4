"""What every page keeps: links lead somewhere, commands exist, examples can be read."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hfstack import __version__, cli
from tests import ROOT
from tests.docs.pages import DOCS, INSTALLED, LINK, PAGES, anchors, blocks, name, prose, read

TARGETS = set(re.findall(r"^([\w-]+):", read("Makefile"), re.MULTILINE))


@pytest.fixture(params=PAGES, ids=name)
def page(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def test_links_lead_somewhere_and_those_of_installed_pages_to_what_is_installed(page: Path) -> None:
    for link in LINK.findall(prose(page.read_text("utf-8"))):
        if link.startswith(("http://", "https://")):
            continue
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), link
        if page in INSTALLED:
            assert path in INSTALLED or path.is_relative_to(DOCS) or path.name == "LICENSE", link
        if anchor:
            assert anchor in anchors(path), link


def test_make_has_every_target_that_is_named(page: Path) -> None:
    text = page.read_text("utf-8")
    named = set(re.findall(r"`make ([a-z][\w-]*)", text))
    named |= {
        word for block in blocks(text, "sh") for word in re.findall(r"^make ([a-z][\w-]*)", block.text, re.MULTILINE)
    }
    assert named - TARGETS == set()


def test_shell_examples_are_shell(page: Path) -> None:
    for block in blocks(page.read_text("utf-8"), "sh"):
        done = subprocess.run(["sh", "-n", "-c", block.text], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), block.text


def test_json_and_yaml_examples_can_be_read(page: Path) -> None:
    text = page.read_text("utf-8")
    for block in blocks(text, "json"):
        assert isinstance(json.loads(block.text), dict)
    for block in blocks(text, "yaml"):
        assert isinstance(yaml.safe_load(block.text), dict)


def test_every_code_block_says_what_it_is(page: Path) -> None:
    assert {block.language for block in blocks(page.read_text("utf-8"))} <= {"sh", "bat", "json", "yaml", "hcl", "text"}


def test_installed_programs_and_scripts_are_called_as_they_are(page: Path) -> None:
    text = page.read_text("utf-8")
    programs = set(re.findall(r"hfstack/bin/(\w+)", text)) | set(re.findall(r"hfstack\\bin\\(\w+)\.exe", text))
    assert programs <= {*cli.COMMANDS, "hfstack"}
    scripts = {f"{command}.{ending}" for command in cli.COMMANDS for ending in ("sh", "bat")}
    named = set(re.findall(r"\bscripts[/\\](\w+\.(?:sh|bat))", text))
    assert named <= scripts | {"user_data.sh", "getAvailableMachines.sh"}


@pytest.mark.parametrize("command", ["rehearse", "sandbox"])
def test_the_administrators_commands_have_the_options_that_are_named(page: Path, command: str) -> None:
    text = page.read_text("utf-8")
    lines = re.findall(rf"hfstack(?:\.exe)? {command}\b([^`\n]*)", text)
    named = {word for line in lines for word in line.split() if word.startswith("--")}
    assert named <= options(command)


@functools.cache
def options(command: str) -> set[str]:
    """Return the options that a command knows, by its own help."""
    shown = subprocess.check_output([sys.executable, "-m", "hfstack", command, "--help"], text=True)
    return set(re.findall(r"--[a-z][a-z-]*", shown))


def test_packages_have_the_version_of_the_program(page: Path) -> None:
    assert set(re.findall(r"\bhfstack-(\d[\d.]*\d)", page.read_text("utf-8"))) <= {__version__}


def test_files_of_the_source_that_are_named_are_there(page: Path) -> None:
    for path in re.findall(r"`((?:hfstack|build|packaging|tests)/[\w./-]+)`", page.read_text("utf-8")):
        assert (ROOT / path).exists(), path


def test_the_index_names_every_page() -> None:
    index = DOCS / "README.md"
    named = {(DOCS / link.partition("#")[0]).resolve() for link in LINK.findall(read("docs/README.md"))}
    assert {name(one) for one in DOCS.glob("*.md") if one != index and one not in named} == set()


def test_the_index_of_decisions_names_each_by_its_title() -> None:
    index = read("docs/decisions/README.md")
    for path in sorted((DOCS / "decisions").glob("0*.md")):
        assert f"]({path.name})" in index
        for number, title in re.findall(r"\A# (\d+)\. (.+)", path.read_text("utf-8")):
            assert f"| {number} | [{title}]({path.name}) |" in index
