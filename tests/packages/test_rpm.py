"""The RPM itself: what it requires from a system, what it would write, and that its bytes depend on nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

import elf
import release
from hfstack import __version__, cli
from tests.packages.conftest import build, query, unpack

READABLE = {
    "rpmlib(CompressedFileNames) <= 3.0.4-1",
    "rpmlib(FileDigests) <= 4.6.0-1",
    "rpmlib(PayloadFilesHavePrefix) <= 4.0-1",
    "rpmlib(PayloadIsXz) <= 5.2-1",
}
"""Features of packages that rpm 4.11 has (RHEL 7; its lib/rpmds.c)."""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory, package: Path) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    unpack(package, folder)
    return folder


def test_it_is_what_its_name_says(package: Path) -> None:
    said = query(package, "%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH} %{PREFIXES} %{BUILDHOST}")
    assert said == f"hfstack-{__version__}-1.x86_64 /opt/hfstack localhost"


def required(package: Path) -> set[str]:
    """Return what a package requires, but for features of rpm itself."""
    asked = subprocess.check_output(["rpm", "-qp", "--nosignature", "--requires", package], text=True).splitlines()
    assert set(asked) >= READABLE
    return set(asked) - READABLE


def test_it_requires_sonames_that_every_system_has(package: Path, unpacked: Path) -> None:
    inside = {path.name for path in unpacked.rglob("*.so*")}
    linked = {library for path in elf.files(unpacked) for library in elf.needs(path).libraries}
    sonames = {one.partition("(")[0] for one in required(package) if one.endswith("(64bit)")}
    assert sonames == linked - inside
    assert all(elf.HOST.match(name) for name in sonames)
    others = {one for one in required(package) if not one.endswith("(64bit)")}
    assert others == {"/bin/sh", "rtld(GNU_HASH)", f"config(hfstack) = {__version__}-1"}


def test_it_requires_no_newer_version_than_rhel_7_has(package: Path) -> None:
    versions = [re.findall(r"\((\w+)_([\d.]+)\)", one) for one in required(package)]
    found = {kind: set[tuple[int, ...]]() for kind in elf.LIMITS}
    for ((kind, version),) in filter(None, versions):
        found[kind].add(tuple(map(int, version.split("."))))
    assert max(found["GLIBC"]) == (2, 17)
    assert max(found["GCC"]) <= elf.LIMITS["GCC"]


def test_its_libraries_are_private(package: Path) -> None:
    said = subprocess.check_output(["rpm", "-qp", "--nosignature", "--provides", package], text=True).splitlines()
    version = f"= {__version__}-1"
    assert set(said) == {f"hfstack {version}", f"hfstack(x86-64) {version}", f"config(hfstack) {version}"}


def test_its_changelog_begins_with_this_version(package: Path) -> None:
    said = subprocess.check_output(["rpm", "-qp", "--nosignature", "--changelog", package], text=True).splitlines()
    assert said[0].endswith(f" hfstack - {__version__}-1")
    assert said[1].startswith("- ")


def test_an_old_rpm_can_read_it(package: Path) -> None:
    form = "%{PAYLOADFORMAT} %{PAYLOADCOMPRESSOR} %{FILEDIGESTALGO} %{SIGMD5} %{SHA1HEADER} %{SHA256HEADER}"
    payload, compressor, sums, *digests = query(package, form).split()
    assert (payload, compressor, sums) == ("cpio", "xz", "8")
    assert list(map(len, digests)) == [32, 40, 64]


def test_nothing_of_it_is_run_by_rpm(package: Path) -> None:
    asked: list[str | Path] = ["rpm", "-qp", "--nosignature", "--scripts", "--triggers", "--filetriggers", package]
    assert subprocess.check_output(asked, text=True) == ""


def test_only_root_can_write_its_files(package: Path, unpacked: Path) -> None:
    lines = query(package, "[%{FILEUSERNAME} %{FILEGROUPNAME} %{FILEMODES:octal} %{FILENAMES}\n]").splitlines()
    modes = {}
    for line in lines:
        user, group, octal, name = line.split(maxsplit=3)
        assert (user, group) == ("root", "root")
        assert name == "/opt/hfstack" or name.startswith("/opt/hfstack/")
        modes[name] = int(octal, 8)
    assert modes.keys() - {"/opt/hfstack"} == {
        f"/{path.relative_to(unpacked)}" for path in (unpacked / "opt" / "hfstack").rglob("*")
    }
    for name, mode in modes.items():
        runs = stat.S_ISDIR(mode) or Path(name).suffix in {".sh", ".so"} or ".so." in name or name.endswith("/hfstack")
        assert stat.S_ISLNK(mode) or stat.S_IMODE(mode) == (0o755 if runs else 0o644), name


def test_there_is_all_that_the_set_up_page_promises(unpacked: Path) -> None:
    folder = unpacked / "opt" / "hfstack"
    for command in (*cli.COMMANDS, "hfstack"):
        assert (folder / "bin" / command).is_file()
        assert (folder / "share" / "man" / "man1" / f"{command}.1.gz").is_file()
    assert [path.stem for path in sorted((folder / "scripts").iterdir())] == sorted(cli.COMMANDS)
    for name in ("README.md", "LICENSE", "docs/hostfactory-setup.md"):
        assert (folder / "share" / "doc" / name).read_bytes() == (release.ROOT / name).read_bytes()


def test_every_part_of_the_sbom_has_its_licence_there(unpacked: Path) -> None:
    licences = unpacked / "opt" / "hfstack" / "share" / "doc" / "licences"
    parts = json.loads(release.SBOM.read_text("utf-8"))["components"]
    wanted = {f"{part['name']}-{part['version'].replace(':', '-')}" for part in parts}
    assert {path.name for path in licences.iterdir()} == wanted
    for folder in licences.iterdir():
        assert sum(path.stat().st_size for path in folder.iterdir()) > 200, folder


def test_rpmlint_finds_nothing(package: Path) -> None:
    if not shutil.which("rpmlint"):
        pytest.skip("there is no rpmlint here: apt-get install rpmlint")
    rules = release.ROOT / "packaging" / "rpm" / "rpmlint.toml"
    done = subprocess.run(["rpmlint", "--config", rules, package], capture_output=True, text=True)
    assert (done.returncode, "0 errors, 0 warnings" in done.stdout) == (0, True), done.stdout


def test_two_builds_give_the_same_bytes(tmp_path: Path, small_tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(small_tree, tmp_path / "one.rpm")
    other = tmp_path / "elsewhere" / "tree"
    shutil.copytree(small_tree, other, symlinks=True)  # copies have other inodes, and the files another order
    release.freshen(other, release.time())
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("HOSTNAME", "elsewhere")
    monkeypatch.setenv("USER", "somebody")
    before = os.umask(0o077)
    try:
        build(other, tmp_path / "two.rpm")
    finally:
        os.umask(before)
    assert (tmp_path / "one.rpm").read_bytes() == (tmp_path / "two.rpm").read_bytes()


def test_the_package_is_that_of_the_frozen_folder(unpacked: Path) -> None:
    programs = unpacked / "opt" / "hfstack" / "bin"
    for path in programs.rglob("*"):
        frozen = release.FROZEN / path.relative_to(programs)
        assert path.is_symlink() == frozen.is_symlink()
        if path.is_symlink():
            assert path.readlink() == frozen.readlink()
        elif path.is_file():
            assert path.read_bytes() == frozen.read_bytes(), path
    assert len(list(programs.rglob("*"))) == len(list(release.FROZEN.rglob("*")))
