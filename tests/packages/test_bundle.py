"""The bundle: unpacked anywhere it can be checked without a network, and whatever is changed in it is found."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import bundle
import release


@pytest.fixture
def folder(tmp_path: Path, package: Path) -> Path:  # noqa: ARG001 - in the bundle
    """The bundle, unpacked."""
    if not release.BUNDLE.exists():
        pytest.skip("there is no bundle: make bundle")
    subprocess.run(["tar", "-xf", release.BUNDLE, "-C", tmp_path], check=True)
    return tmp_path / release.BUNDLE.stem


def verify(folder: Path) -> tuple[bool, str]:
    """Run verify.sh; return whether it is content, and what it says."""
    done = subprocess.run([folder / "verify.sh"], cwd="/", capture_output=True, text=True)
    assert ("good" in done.stdout.splitlines()) == (done.returncode == 0)
    return done.returncode == 0, done.stdout + done.stderr


def test_it_holds_what_a_site_needs_and_can_be_checked(folder: Path) -> None:
    content, said = verify(folder)
    assert content, said
    for name in ("README.md", "LICENSE", "docs/hostfactory-setup.md"):
        assert (folder / name).read_bytes() == (release.ROOT / name).read_bytes()
    for path in (release.PACKAGE, release.SBOM):
        assert (folder / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", [release.PACKAGE.name, release.SBOM.name, "docs/hostfactory-setup.md", "verify.sh"])
def test_one_changed_byte_is_found(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[-2] ^= 1
    (folder / name).write_bytes(content)
    assert verify(folder)[0] is False


def test_a_changed_list_of_sums_is_found(folder: Path) -> None:
    path = folder / "SHA256SUMS"
    lines = path.read_text("ascii").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "README" not in line), "ascii")
    assert verify(folder)[0] is False


def test_what_was_added_or_taken_away_is_found(folder: Path) -> None:
    (folder / "docs" / "more.md").write_text("more", "utf-8")
    assert verify(folder)[0] is False
    (folder / "docs" / "more.md").unlink()
    assert verify(folder)[0] is True
    (folder / "LICENSE").unlink()
    assert verify(folder)[0] is False


def test_two_bundles_are_the_same(tmp_path: Path, package: Path) -> None:
    made = []
    for name in ("one", "two"):
        bundle.fill(tmp_path / name / "bundle", [package], 1_700_000_000)
        bundle.pack(tmp_path / name / "bundle", tmp_path / f"{name}.tar")
        made.append((tmp_path / f"{name}.tar").read_bytes())
    assert made[0] == made[1]


def test_the_sums_of_what_is_handed_out_are_right(folder: Path) -> None:  # noqa: ARG001 - listed with the bundle
    listed = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=release.DIST, capture_output=True, text=True)
    assert listed.returncode == 0, listed.stdout
    names = set(re.findall(r"\./(\S+):", listed.stdout))
    assert {release.PACKAGE.name, release.SBOM.name, release.BUNDLE.name} <= names
