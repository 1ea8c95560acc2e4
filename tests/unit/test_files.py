"""What is opened: regular files of a bounded size only, and in the work directory only what is hfstack's own."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hfstack import _files
from hfstack._files import Untrusted
from tests.accounts import AS_ROOT

pytestmark = pytest.mark.premise("Files and folders are what they seem to be.")

SPARSE = 20 * 1024**3


def sparse(path: Path) -> None:
    """Make a file of 20 GB that takes no room."""
    with path.open("wb") as file:
        file.truncate(SPARSE)


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        # the path of a socket is short
        here = Path.cwd()
        os.chdir(path.parent)
        one.bind(path.name)
        os.chdir(here)


def leads_to(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (os.mkfifo, "found a named pipe, wanted a regular file"),
    "folder": (lambda path: path.mkdir(), "found a folder, wanted a regular file"),
    "socket": (listening, "found a socket, wanted a regular file"),
    "sparse": (sparse, "found more than 16 MiB"),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "one"


def reason(action: Callable[[], object]) -> str:
    try:
        action()
    except OSError as error:
        return str(error.strerror)
    pytest.fail("nothing was refused")


@pytest.mark.parametrize("size", [0, 1, _files.CHUNK, _files.CHUNK + 1, 200_000])
def test_a_regular_file_is_read_whole(path: Path, size: int) -> None:
    path.write_bytes(b"x" * size)
    assert _files.read(str(path)) == b"x" * size
    assert _files.read_own(str(path), str(path.parent)) == b"x" * size


def test_links_may_lead_to_a_file_of_the_site(path: Path) -> None:
    path.write_bytes(b"x")
    path.with_name("link").symlink_to(path)
    assert _files.read(str(path.with_name("link"))) == b"x"


@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_regular_file_is_refused_at_once(path: Path, odd: str) -> None:
    make, why = ODD[odd]
    make(path)
    assert reason(lambda: _files.read(str(path))) == why
    assert reason(lambda: _files.read_own(str(path), str(path.parent))) == why.replace("16", "64")


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/tty"])
def test_a_device_is_refused(device: str) -> None:
    assert reason(lambda: _files.read(device)) == "found a device, wanted a regular file"


@pytest.mark.parametrize(
    ("swap", "follow", "why"),
    [
        pytest.param(os.mkfifo, True, "found a named pipe, wanted a regular file", id="pipe"),
        pytest.param(os.mkfifo, False, "found a named pipe, wanted a regular file", id="pipe-not-followed"),
        pytest.param(
            lambda path: path.symlink_to("/dev/zero"), True, "found a device, wanted a regular file", id="device"
        ),
        pytest.param(
            lambda path: path.symlink_to("/etc/passwd"), False, "found a link, wanted a regular file", id="link"
        ),
    ],
)
def test_a_path_that_changes_meanwhile_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch, swap: Callable[[Path], object], follow: bool, why: str
) -> None:
    path.write_bytes(b"x")
    opened = os.open

    def swapped(name: str, flags: int) -> int:
        path.unlink()
        swap(path)
        return opened(name, flags)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", swapped)
        assert reason(lambda: _files.open_regular(str(path), os.O_RDONLY, follow=follow)) == why


@pytest.mark.parametrize(("size", "read"), [(10, True), (11, False)])
def test_the_limit_is_the_most(path: Path, size: int, *, read: bool) -> None:
    path.write_bytes(b"x" * size)
    if read:
        assert len(_files.read(str(path), 10)) == size
    else:
        assert reason(lambda: _files.read(str(path), 10)) == "found more than 10 bytes"


def test_a_file_that_says_no_size_is_read_up_to_the_limit() -> None:
    size = len(Path("/proc/self/status").read_bytes())
    assert size > 100
    assert reason(lambda: _files.read("/proc/self/status", 100)) == "found more than 100 bytes"


def test_a_huge_file_takes_no_memory(path: Path) -> None:
    sparse(path)
    program = (
        "import sys; from hfstack import _files\n"
        "try: _files.read(sys.argv[1])\n"
        "except OSError as error: print(error.strerror)"
    )

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (512 * 1024**2,) * 2)

    command = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(command, preexec_fn=limit, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("found more than 16 MiB\n", "")


# hfstack's own


def test_a_link_is_not_hfstacks_own(path: Path) -> None:
    path.write_bytes(b"x")
    link, folder = path.with_name("link"), path.with_name("folder")
    link.symlink_to(path)
    assert reason(lambda: _files.read_own(str(link), str(path.parent))) == "found a link, wanted a regular file"
    assert reason(lambda: _files.check_file(str(link), str(path.parent))) == "found a link, wanted a regular file"
    folder.symlink_to(path.parent)
    with pytest.raises(Untrusted) as caught:
        _files.check_folder(str(folder), str(path.parent))
    assert (caught.value.filename, caught.value.strerror) == (str(folder), "found a link, wanted a folder")


@pytest.mark.parametrize("mode", [0o622, 0o602, 0o620, 0o777])
def test_what_others_may_write_is_not_trusted(path: Path, mode: int) -> None:
    path.write_bytes(b"x")
    path.chmod(mode)
    why = f"its mode is {mode:04o}, so others may have changed it: check its content, then run chmod go-w"
    assert reason(lambda: _files.read_own(str(path), str(path.parent))) == why
    assert reason(lambda: _files.check_file(str(path), str(path.parent))) == why
    path.unlink()
    path.mkdir()
    path.chmod(mode)
    assert reason(lambda: _files.check_folder(str(path), str(path.parent))) == why


@AS_ROOT
@pytest.mark.parametrize(
    ("owner", "of_workdir", "trusted"),
    [
        pytest.param(0, 0, True, id="this account"),
        pytest.param(1001, 1001, True, id="the owner of the work directory"),
        pytest.param(0, 1001, True, id="root"),
        pytest.param(1001, 0, False, id="another account"),
        pytest.param(1001, 1002, False, id="neither"),
    ],
)
def test_the_owner_decides_what_is_trusted(path: Path, owner: int, of_workdir: int, *, trusted: bool) -> None:
    path.write_bytes(b"x")
    os.chown(path, owner, -1)
    os.chown(path.parent, of_workdir, -1)
    if trusted:
        assert _files.read_own(str(path), str(path.parent)) == b"x"
        return
    assert reason(lambda: _files.read_own(str(path), str(path.parent))) == (
        f"its owner is uid {owner}, wanted this account (uid 0), root or the owner of the work directory: "
        "change its owner (chown)"
    )


@AS_ROOT
@pytest.mark.parametrize(("owner", "trusted"), [(0, True), (1001, True), (1003, False)])
def test_an_account_trusts_root_and_itself(
    path: Path, monkeypatch: pytest.MonkeyPatch, owner: int, *, trusted: bool
) -> None:
    path.write_bytes(b"x")
    os.chown(path, owner, -1)
    os.chown(path.parent, 1002, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 1001)
    if trusted:
        assert _files.read_own(str(path), str(path.parent)) == b"x"
    else:
        assert "its owner is uid 1003, wanted this account (uid 1001)" in reason(
            lambda: _files.read_own(str(path), str(path.parent))
        )


def test_on_windows_only_links_count(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(b"x")
    path.chmod(0o666)
    monkeypatch.delattr(os, "geteuid")
    assert _files.read_own(str(path), str(path.parent)) == b"x"
