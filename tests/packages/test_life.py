"""Installed, upgraded, downgraded, moved and erased: what is hfstack's comes and goes, what is the site's stays."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.packages.conftest import EXAMPLES, System

MOVED = "srv/host providers/hf stack"


def changed(report: str) -> set[str]:
    """Return the files that rpm -V names."""
    return {line.split()[-1] for line in report.splitlines()}


@pytest.fixture
def site(system: System) -> dict[Path, str]:
    """Files of the site's own, outside of the package's folder: HostFactory's configuration, records, logs."""
    files = {
        system.root / "ego" / "conf" / "providers" / "osinst" / "clouds.yaml": "secret",
        system.root / "ego" / "work" / "requests" / "req-1" / "asked.json": "{}",
        system.root / "ego" / "log" / "osinst-provider.host.log": "a line\n",
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True)
        path.write_text(text, "utf-8")
    return files


def edit(system: System, site: dict[Path, str]) -> None:
    """Change an example, add a file beside it."""
    for name, text in (("osinst/clouds.yaml", "clouds: {mine: {}}\n"), ("osinst/mine.yaml", "mine\n")):
        path = system.root / EXAMPLES / name
        path.write_text(text, "utf-8")
        site[path] = text


def assert_kept(site: dict[Path, str]) -> None:
    assert {path: path.read_text("utf-8") for path in site} == site


def test_an_installed_package_is_whole(system: System, package: Path) -> None:
    system.install("-i", package)
    assert system.installed() == [package.stem]
    assert system.rpm("-V", "--nodeps", "hfstack") == ""
    for path in (system.root / "opt").rglob("*"):
        there = path.lstat()
        assert (there.st_uid, there.st_gid) == (0, 0)
        assert path.is_symlink() or not stat.S_IMODE(there.st_mode) & 0o7022
        assert path.exists(), f"{path} leads nowhere"
    assert {path.split("/")[0] for path in system.files()} == {"opt"}


def test_a_damaged_program_is_found(system: System, package: Path) -> None:
    system.install("-i", package)
    with (system.root / "opt/hfstack/bin/hfstack").open("ab") as file:
        file.write(b"x")
    (system.root / "opt/hfstack/scripts/requestMachines.sh").unlink()
    report = system.rpm("-V", "--nodeps", "hfstack", code=1)
    assert changed(report) == {"/opt/hfstack/bin/hfstack", "/opt/hfstack/scripts/requestMachines.sh"}


def test_missing_libraries_are_named(system: System, package: Path) -> None:
    said = system.rpm("-i", package, code=1)
    assert "libc.so.6(GLIBC_2.17)(64bit) is needed by hfstack" in said
    assert system.installed() == []


def test_an_upgrade_keeps_what_the_site_has(system: System, site: dict[Path, str], older: Path, package: Path) -> None:
    system.install("-i", older)
    edit(system, site)
    said = system.rpm("-U", "--nodeps", package)
    assert "clouds.yaml.rpmnew" in said
    assert system.installed() == [package.stem]
    assert_kept(site)
    assert changed(system.rpm("-V", "--nodeps", "hfstack", code=1)) == {f"/{EXAMPLES}/osinst/clouds.yaml"}
    assert not (system.root / "opt/hfstack/share/doc/OLD").exists()


def test_a_downgrade_keeps_what_the_site_has(system: System, site: dict[Path, str], older: Path, package: Path) -> None:
    system.install("-i", package)
    edit(system, site)
    assert "newer" in system.rpm("-U", "--nodeps", older, code=2)
    system.rpm("-U", "--nodeps", "--oldpackage", older)
    assert system.installed() == [older.stem]
    assert_kept(site)
    assert (system.root / "opt/hfstack/share/doc/OLD").exists()
    assert not (system.root / "opt/hfstack/bin/hfstack").exists()
    system.rpm("-U", "--nodeps", package)
    assert system.installed() == [package.stem]
    assert_kept(site)


@pytest.mark.parametrize("prefix", ["opt/hfstack", MOVED])
def test_an_erased_package_leaves_what_the_site_has(
    system: System, site: dict[Path, str], package: Path, prefix: str
) -> None:
    before = system.files()
    system.install("-i", package, "--prefix", f"/{prefix}")
    assert system.rpm("-V", "--nodeps", "hfstack") == ""
    folder = system.root / prefix / "share" / "examples" / "osinst"
    (folder / "clouds.yaml").write_text("mine", "utf-8")
    (folder / "mine.yaml").write_text("mine", "utf-8")
    said = system.rpm("-e", "hfstack")
    assert "saved as" in said
    assert system.installed() == []
    assert_kept(site)
    left = {f"{prefix}/share/examples/osinst/{name}" for name in ("clouds.yaml.rpmsave", "mine.yaml")}
    assert system.files() == before | left


def test_an_untouched_package_leaves_nothing(system: System, package: Path) -> None:
    before = system.files()
    system.install("-i", package)
    assert system.rpm("-e", "hfstack") == ""
    assert system.files() == before
    assert list((system.root / "opt").iterdir()) == []


def test_a_moved_package_stays_where_it_is(system: System, package: Path, older: Path) -> None:
    system.install("-i", older, "--prefix", f"/{MOVED}")
    system.rpm("-U", "--nodeps", "--prefix", f"/{MOVED}", package)
    assert system.installed() == [package.stem]
    assert system.rpm("-V", "--nodeps", "hfstack") == ""
    assert (system.root / MOVED / "bin" / "hfstack").is_file()
    assert not (system.root / "opt" / "hfstack").exists()
