"""The installer's life: installed, run, upgraded, not downgraded, and removed without a trace but the site's own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import make_msi
import release
import wine
from hfstack import __version__
from tests.scenarios import windows
from tests.windows.conftest import Done, Windows, rights

SYSTEM = Path("C:/") if windows.HERE else wine.SYSTEM
FOLDER = SYSTEM / "Program Files" / "hfstack"
ELSEWHERE = SYSTEM / "Host Factory" / "hf stack"
ENVIRONMENT = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment"

FAILED = 1603
"""What msiexec returns when an installation is refused."""


VERSIONS = '''
import ctypes, json, os, shutil, struct, sys
package, folder = sys.argv[1:]
api = ctypes.WinDLL("version")

def version(path):
    # for a library of which Wine has one of its own, Wine would look at that
    path = shutil.copy(path, package + ".part")
    size = api.GetFileVersionInfoSizeW(path, None)
    if not size:
        return ""
    block, place, length = ctypes.create_string_buffer(size), ctypes.c_void_p(), ctypes.c_uint()
    assert api.GetFileVersionInfoW(path, 0, size, block)
    assert api.VerQueryValueW(block, "\\\\", ctypes.byref(place), ctypes.byref(length))
    high, low = struct.unpack_from("<II", ctypes.string_at(place, length.value), 8)
    return f"{high >> 16}.{high & 65535}.{low >> 16}.{low & 65535}"

def rows(query):
    """Yield the rows of two columns that an installer's database has, by Windows Installer's own functions."""
    msi, handles = ctypes.WinDLL("msi"), [ctypes.c_ulong() for _ in range(3)]
    database, view, row = handles
    assert msi.MsiOpenDatabaseW(package, None, ctypes.byref(database)) == 0
    assert msi.MsiDatabaseOpenViewW(database, query, ctypes.byref(view)) == 0
    assert msi.MsiViewExecute(view, 0) == 0
    while msi.MsiViewFetch(view, ctypes.byref(row)) == 0:
        texts = []
        for column in (1, 2):
            text, size = ctypes.create_unicode_buffer(256), ctypes.c_ulong(256)
            assert msi.MsiRecordGetStringW(row, column, text, ctypes.byref(size)) == 0
            texts.append(text.value)
        yield texts
        msi.MsiCloseHandle(row)
    for handle in (view, database):
        msi.MsiCloseHandle(handle)

listed = {name.split("|")[-1]: number for name, number in rows("SELECT `FileName`, `Version` FROM `File`")}
seen = {name: version(os.path.join(top, name)) for top, _, names in os.walk(folder) for name in names
        if name.endswith((".exe", ".dll", ".pyd"))}
print(json.dumps([listed, seen]))
'''
"""What an installer says of versions, and what Windows sees of the files."""


@pytest.fixture(scope="session")
def package() -> Path:
    """The installer of this version."""
    if not release.INSTALLER.exists():
        pytest.skip("there is no installer: make msi")
    return release.INSTALLER


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What another version installs: scripts that this one has, too, and a file that it has not."""
    if windows.HERE and not os.environ.get("WIX"):
        pytest.skip("there is no WiX 3 here, or WIX does not say where it is")
    tree = tmp_path_factory.mktemp("small") / "tree"
    shutil.copytree(windows.SCRIPTS, tree / "scripts")
    (tree / "bin").mkdir()
    (tree / "bin" / "other.txt").write_text("of another version\n", "utf-8")
    release.freshen(tree, release.time())
    return tree


@pytest.fixture(scope="session")
def others(small: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The installers of an older and of a newer version."""
    release.WORK.mkdir(parents=True, exist_ok=True)
    folder = tmp_path_factory.mktemp("others")
    made = folder / "older.msi", folder / "newer.msi"
    for path, version in zip(made, ("0.0.1", "99.0.0"), strict=True):
        make_msi.build(small, path, version, release.time())
    return made


@pytest.fixture
def clean(system: Windows, package: Path, request: pytest.FixtureRequest) -> Iterator[Windows]:
    """Windows without hfstack, before and after."""
    packages = [package]
    if "others" in request.fixturenames:
        packages += request.getfixturevalue("others")
    remove(system, *packages)
    yield system
    remove(system, *packages)
    for folder in (FOLDER, ELSEWHERE):
        shutil.rmtree(folder, ignore_errors=True)


def inside(path: Path) -> str:
    """Return a path on drive C as Windows writes it."""
    return "C:\\" + str(path.relative_to(SYSTEM)).replace("/", "\\")


def remove(system: Windows, *packages: Path) -> None:
    """Remove whichever of these is installed."""
    system.call(*(f'msiexec /x "{windows.path(package)}" /qn' for package in packages))


def msiexec(system: Windows, package: Path, *more: str, verb: str = "/i") -> int:
    """Call Windows Installer without questions; returns its exit code."""
    (done,) = system.call(" ".join([f'msiexec {verb} "{windows.path(package)}" /qn', *more]))
    return done.code


def files(folder: Path) -> set[str]:
    """Return the files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def search_path(system: Windows) -> str:
    """Return the machine's PATH."""
    (done,) = system.call(rf'reg query "{ENVIRONMENT}" /v PATH')
    return done.stdout.decode(errors="replace")


def version(system: Windows, folder: Path) -> Done:
    """Ask the installed script for its version."""
    script = inside(folder / "scripts" / "getRequestStatus.bat")
    (done,) = system.call(f'cmd.exe /d /s /c ""{script}" --version"')
    return done


def test_installed_run_and_removed(clean: Windows, package: Path) -> None:
    assert msiexec(clean, package) == 0
    assert version(clean, FOLDER) == (0, f"hfstack {__version__}\n".encode(), b"")
    assert files(FOLDER / "bin") == files(windows.FROZEN)
    assert {"share/examples/osinst/clouds.yaml", "share/doc/README.md", "scripts/getRequestStatus.bat"} <= files(FOLDER)
    assert "hfstack" not in search_path(clean), "it is only in the PATH with ADDLOCAL=ALL"
    mine = FOLDER / "share" / "examples" / "mine.yaml"
    mine.write_text("the site's own\n", "utf-8")
    assert msiexec(clean, package, verb="/x") == 0
    assert files(FOLDER) == {"share/examples/mine.yaml"}
    mine.unlink()


def test_elsewhere_in_the_path_and_gone_again(clean: Windows, package: Path) -> None:
    place = inside(ELSEWHERE)
    assert msiexec(clean, package, f'INSTALLDIR="{place}"', "ADDLOCAL=ALL") == 0
    assert version(clean, ELSEWHERE).code == 0
    assert rf"{place}\bin" in search_path(clean)
    assert not FOLDER.exists()
    assert msiexec(clean, package, verb="/x") == 0
    assert not ELSEWHERE.exists()
    assert place not in search_path(clean)


def test_an_upgrade_stays_where_it_was_and_there_is_no_way_back(
    clean: Windows, package: Path, others: tuple[Path, Path]
) -> None:
    older, newer = others
    place = inside(ELSEWHERE)
    assert msiexec(clean, older, f'INSTALLDIR="{place}"', "ADDLOCAL=ALL") == 0
    # Wine does not ask which features the old version had
    assert msiexec(clean, package, *([] if windows.HERE else ["ADDLOCAL=ALL"])) == 0
    assert version(clean, ELSEWHERE) == (0, f"hfstack {__version__}\n".encode(), b"")
    assert "bin/other.txt" not in files(ELSEWHERE)
    assert search_path(clean).count(rf"{place}\bin") == 1
    assert msiexec(clean, older) == FAILED
    assert version(clean, ELSEWHERE).code == 0, "a refusal changes nothing"
    assert msiexec(clean, newer) == 0
    assert files(ELSEWHERE / "bin") == {"other.txt"}
    assert msiexec(clean, newer, verb="/x") == 0
    assert not ELSEWHERE.exists()


def test_the_installer_knows_the_versions_of_files(system: Windows, package: Path) -> None:
    script = system.folder / "versions.py"
    script.write_text(VERSIONS, "utf-8")
    copy = shutil.copy(package, system.folder)
    done = system.python(windows.path(script), windows.path(copy), windows.path(windows.FROZEN))
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    listed, seen = json.loads(done.stdout)
    assert {name: version for name, version in listed.items() if name in seen} == seen
    assert seen["hfstack.exe"] == f"{__version__}.0"
    (core,) = (name for name in seen if re.fullmatch(r"python3\d+\.dll", name))
    assert seen[core].startswith(f"3.{core[len('python3') : -len('.dll')]}.")
    assert not any(version for name, version in listed.items() if name not in seen)


@pytest.mark.skipif(not windows.HERE, reason="Wine keeps no access control lists")
def test_users_may_run_what_is_installed_and_not_write_to_it(clean: Windows, package: Path) -> None:
    assert msiexec(clean, package, f'INSTALLDIR="{inside(ELSEWHERE)}"') == 0
    for path in (ELSEWHERE, ELSEWHERE / "scripts", ELSEWHERE / "bin" / "hfstack.exe"):
        found = re.findall(r"\(A;[A-Z]*;(\w+);;;(\w+)\)", rights(path))
        assert sorted(found) == [("0x1200a9", "BU"), ("FA", "BA"), ("FA", "SY")]


@pytest.mark.skipif(windows.HERE, reason="no test makes an older Windows of this one")
def test_an_older_windows_is_refused(clean: Windows, package: Path) -> None:
    key = r'"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion" /v CurrentMajorVersionNumber'
    (asked, removed) = clean.call(f"reg query {key}", f"reg delete {key} /f")
    try:
        assert removed.code == 0, (asked, removed)
        assert msiexec(clean, package) == FAILED
        assert not FOLDER.exists()
    finally:
        clean.call(f"reg add {key} /t REG_DWORD /d 10 /f")


@pytest.mark.skipif(not windows.HERE, reason="Wine's msiexec does not repair")
def test_what_was_deleted_is_repaired(clean: Windows, package: Path) -> None:
    assert msiexec(clean, package) == 0
    script = FOLDER / "scripts" / "getRequestStatus.bat"
    script.unlink()
    assert msiexec(clean, package, verb="/fa") == 0
    assert version(clean, FOLDER).code == 0


@pytest.mark.skipif(windows.HERE, reason="WiX writes the time, and a code of its own")
def test_the_same_folder_gives_the_same_bytes(small: Path, tmp_path: Path, others: tuple[Path, Path]) -> None:
    make_msi.build(small, tmp_path / "again.msi", "0.0.1", release.time())
    assert (tmp_path / "again.msi").read_bytes() == others[0].read_bytes()


@pytest.mark.skipif(windows.HERE, reason="osslsigncode is Linux's")
@pytest.mark.usefixtures("package")
def test_programs_and_installer_are_signed(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pfx, word = tmp_path / "sign.pfx", tmp_path / "word"
    word.write_text("pass word", "utf-8")
    subject = ["-subj", "/CN=hfstack test", "-addext", "extendedKeyUsage=codeSigning"]
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*request, "-keyout", "key.pem", "-out", "cert.pem"], cwd=tmp_path, check=True, capture_output=True)
    export = ["openssl", "pkcs12", "-export", "-inkey", "key.pem", "-in", "cert.pem", "-passout", f"file:{word}"]
    subprocess.run([*export, "-out", pfx], cwd=tmp_path, check=True)
    monkeypatch.setenv("SIGN_PFX", str(pfx))
    monkeypatch.setenv("SIGN_PASSWORD_FILE", str(word))
    names = ("getRequestStatus.exe", "_internal/python311.dll", "_internal/_ssl.pyd")
    copies = [Path(shutil.copy(windows.FROZEN / name, tmp_path)) for name in names]
    make_msi.build(small, tmp_path / "signed.msi", "0.0.1", release.time())
    before = {path: path.read_bytes() for path in copies}
    make_msi.sign([*copies, tmp_path / "signed.msi"])
    for path in (copies[0], tmp_path / "signed.msi"):
        checked: list[str | Path] = ["osslsigncode", "verify", "-ignore-crl", "-CAfile", tmp_path / "cert.pem"]
        done = subprocess.run([*checked, "-in", path], capture_output=True, text=True)
        assert "CN=hfstack test" in done.stdout, done.stdout + done.stderr
        assert "Succeeded" in done.stdout, done.stdout
    assert [path.read_bytes() == before[path] for path in copies] == [False, True, True], "Python's keep their own"
