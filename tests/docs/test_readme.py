"""The README is short, and its way in is one that works."""

from __future__ import annotations

from tests.docs.pages import blocks, read

README = read("README.md")


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 130


def test_two_commands_try_it() -> None:
    first, *_ = blocks(README, "sh")
    assert [line.partition("#")[0].strip() for line in first.text.splitlines()] == ["make demo", "make test"]


def test_the_first_command_after_the_installation_needs_no_configuration() -> None:
    lines = blocks(README, "sh")[1].text.splitlines()
    (installs,) = [number for number, line in enumerate(lines) if line.startswith("rpm -i ")]
    assert lines[installs + 1 :] == ["/opt/hfstack/bin/hfstack rehearse --sandbox"]
    assert len(lines) <= 5
    # the page that says more has the same way
    assert blocks(read("docs/install.md"), "sh")[0].text.splitlines() == lines
