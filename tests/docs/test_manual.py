"""The manual pages and the example files: in form, complete, and of one mind with the pages."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import examples
from hfstack import cli
from tests import ROOT

MAN = ROOT / "packaging" / "man"
PAGES = sorted(MAN.glob("*.1"))
SETUP = (ROOT / "docs" / "hostfactory-setup.md").read_text("utf-8")


def test_there_is_a_page_for_each_program() -> None:
    assert {path.stem for path in PAGES} == {*cli.COMMANDS, "hfstack"}
    for path in PAGES:
        text = path.read_text("utf-8")
        assert f".Dt {path.stem.upper()} 1\n" in text
        assert f".Nm {path.stem}\n" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_a_page_is_well_formed(page: Path) -> None:
    if not shutil.which("mandoc"):
        pytest.skip("there is no mandoc here: apt-get install mandoc")
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_variables_are_those_of_the_configuration_page() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    table = page.partition("## The environment\n")[2].partition("\n## ")[0]
    page = (MAN / "hfstack.1").read_text("utf-8").partition(".Sh ENVIRONMENT\n")[2].partition(".Sh")[0]
    names = set(re.findall(r"\b(?:HF|PRO|PROVIDER)_\w+", table))
    assert len(names) > 8
    assert {name for name in names if name not in page} == set()
    assert set(re.findall(r"\bHF_PROVIDER_\w+", page)) == {name for name in names if name.startswith("HF_PROVIDER")}


def test_the_administrators_commands_are_all_there() -> None:
    usage = subprocess.check_output([sys.executable, "-m", "hfstack", "--help"], text=True)
    commands = re.findall(r"^    (\w[\w-]*) ", usage, re.MULTILINE)
    assert len(commands) > 1
    assert re.findall(r"^\.It Cm ([\w-]+)$", (MAN / "hfstack.1").read_text("utf-8"), re.MULTILINE) == sorted(commands)


def test_the_exit_codes_are_all_there() -> None:
    page = (MAN / "hfstack.1").read_text("utf-8").partition(".Sh EXIT STATUS\n")[2].partition(".Sh")[0]
    assert re.findall(r"^\.It (\d)$", page, re.MULTILINE) == ["0", "1", "2"]
    usage = [sys.executable, "-m", "hfstack"]
    for arguments in ([], ["nonsense"], ["rehearse", "--nonsense"], ["sandbox", "--nonsense"]):
        assert subprocess.run([*usage, *arguments], capture_output=True).returncode == 2
    assert (
        subprocess.run([*usage, "sandbox", "--tls-cert=/none", "--tls-key=/none"], capture_output=True).returncode == 1
    )


def test_the_examples_are_the_pages_own() -> None:
    found = examples.examples(SETUP)
    blocks = re.findall(r"^```(?:json|yaml)\n(.*?)^```$", SETUP, re.MULTILINE | re.DOTALL)
    # a requestor's file is the site's own: the page shows one line of it
    assert list(found.values()) == [block for block in blocks if json_or_yaml(block) != {"providers": ["osinst"]}]
    assert len(found) == SETUP.count("<!-- example: ")
    for name in found:
        # the page calls the file so, somewhere before it
        assert f"{Path(name).name}`" in SETUP.partition(f"<!-- example: {name} -->")[0]


def test_the_examples_hold_no_secret() -> None:
    (cloud,) = yaml.safe_load(examples.examples(SETUP)["osinst/clouds.yaml"])["clouds"].values()
    assert cloud["auth"]["application_credential_secret"] == "SECRET"


def json_or_yaml(text: str) -> object:
    """Read a file of either kind."""
    return json.loads(text) if text.startswith("{") else yaml.safe_load(text)
