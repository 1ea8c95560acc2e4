"""The cached access: it is returned as it was saved, unless something changed that it depends on."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hfstack.environment import Environment
from hfstack.store import token_cache

TOKEN = "gAAAAA-a-token"
SECRET = "Correct-Horse-7391"
ENV = {"HOME": "/home/ego", "OS_PASSWORD": SECRET, "https_proxy": f"http://grid:{SECRET}@proxy:3128"}


class Kept(NamedTuple):
    """The access that was saved a moment ago, and the files that it depends on."""

    environment: Environment
    clouds: Path
    absent: Path
    """A file that was looked for and does not exist."""
    now: float
    known: token_cache.CachedAccess

    @property
    def path(self) -> Path:
        return Path(token_cache.place(self.environment))

    def load(
        self, env: dict[str, str] | None = None, later: float = 1, **environment: str
    ) -> token_cache.CachedAccess | None:
        """Load it some seconds later; `environment` holds the fields that are different now."""
        return token_cache.load(self.environment._replace(**environment), ENV if env is None else env, self.now + later)  # type: ignore[arg-type]

    def save(self) -> None:
        """Save it again, as a later call does."""
        token_cache.save(self.environment, ENV, self.now + 1, self.known, [str(self.clouds), str(self.absent)])

    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.path.read_bytes())
        return found


@pytest.fixture
def kept(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Kept:
    monkeypatch.chdir(environment.logdir)
    clouds, absent = (Path(environment.confdir, name) for name in ("clouds.yaml", "secure.yaml"))
    clouds.write_text("clouds: {}\n", encoding="utf-8")
    now = time.time()
    endpoints = {"compute": "http://nova:8774/v2.1", "network": "http://neutron:9696/v2.0"}
    settings = {"httpTimeout": 30.0, "cloud": None}
    known = token_cache.CachedAccess(TOKEN, now + 7200, endpoints, "/etc/ca.pem", settings, "p", "RegionOne")
    token_cache.save(environment, ENV, now, known, [str(clouds), str(absent)])
    return Kept(environment, clouds, absent, now, known)


def left(kept: Kept) -> list[str]:
    return sorted(path.name for path in kept.path.parent.iterdir())


def test_what_is_saved_is_loaded(kept: Kept) -> None:
    assert kept.load() == kept.known
    assert left(kept) == [f"access-bank-master1-{os.geteuid()}.json"]


def test_only_the_account_itself_may_read_it(kept: Kept) -> None:
    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.path.parent.stat().st_mode) == 0o700


def test_it_holds_no_secret_of_the_environment(kept: Kept) -> None:
    assert SECRET.encode() not in kept.path.read_bytes()
    assert kept.load({**ENV, "OS_PASSWORD": "another"}) is None, "though it goes by it"


def test_two_providers_hosts_and_work_directories_have_files_of_their_own(kept: Kept, tmp_path: Path) -> None:
    others: list[dict[str, str]] = [{"provider": "other"}, {"host": "master2"}, {"workdir": str(tmp_path)}]
    places = {token_cache.place(kept.environment._replace(**other)) for other in others}  # type: ignore[arg-type]
    assert len(places | {str(kept.path)}) == 4


def test_two_accounts_have_files_of_their_own(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, account = kept.path, os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: account + 1)
    assert kept.path.name == mine.name.replace(f"-{account}.json", f"-{account + 1}.json") != mine.name


@pytest.mark.parametrize(
    "odd", [{"workdir": ""}, {"provider": "a/b"}, {"host": "..\\b"}], ids=lambda odd: next(iter(odd))
)
def test_without_a_possible_path_nothing_is_kept(kept: Kept, odd: dict[str, str]) -> None:
    elsewhere = kept.environment._replace(**odd)  # type: ignore[arg-type]
    assert token_cache.place(elsewhere) == ""
    token_cache.save(elsewhere, ENV, kept.now, kept.known, [])
    assert token_cache.load(elsewhere, ENV, kept.now) is None
    token_cache.drop(elsewhere)
    assert kept.load() == kept.known


# Reasons not to use it


def changed(kept: Kept) -> None:
    kept.clouds.write_text("clouds: {a: 1}\n", encoding="utf-8")


def replaced(kept: Kept) -> None:
    """Another file of the same size and time, moved to its place."""
    was = kept.clouds.stat()
    new = kept.clouds.with_name("new")
    new.write_bytes(kept.clouds.read_bytes())
    os.utime(new, ns=(was.st_atime_ns, was.st_mtime_ns))
    new.replace(kept.clouds)


def rewritten(kept: Kept) -> None:
    """Other content of the same size, with the old time restored."""
    was = kept.clouds.stat()
    kept.clouds.write_bytes(kept.clouds.read_bytes().upper())
    os.utime(kept.clouds, ns=(was.st_atime_ns, was.st_mtime_ns))


def edited(kept: Kept, change: Callable[[dict[str, Any]], object]) -> None:
    """Write the file again, with one change."""
    document = kept.document()
    change(document)
    kept.path.write_text(json.dumps(document), encoding="utf-8")


def in_its_place(kept: Kept, what: str) -> None:
    kept.path.unlink()
    Path.mkdir(kept.path) if what == "directory" else kept.path.symlink_to(what)


FILES: dict[str, Callable[[Kept], object]] = {
    "a file has changed": changed,
    "a file was replaced by one of the same size and time": replaced,
    "a file was rewritten with the same size and time": rewritten,
    "a file is there that was not": lambda kept: kept.absent.write_text("", encoding="utf-8"),
    "a file is not there any more": lambda kept: kept.clouds.unlink(),
    "the group may read it": lambda kept: kept.path.chmod(0o640),
    "others may read it": lambda kept: kept.path.chmod(0o604),
    "others may write it": lambda kept: kept.path.chmod(0o602),
    "it is not there": lambda kept: kept.path.unlink(),
    "it is empty": lambda kept: kept.path.write_bytes(b""),
    "it is cut off": lambda kept: kept.path.write_bytes(kept.path.read_bytes()[:-1]),
    "it is not JSON": lambda kept: kept.path.write_bytes(b"\xff\xfe{}"),
    "it is nested without end": lambda kept: kept.path.write_bytes(b"[" * 100_000),
    "it is a directory": lambda kept: in_its_place(kept, "directory"),
    "it is a link to nothing": lambda kept: in_its_place(kept, "/no/such/file"),
    "another version wrote it": lambda kept: edited(kept, lambda one: one["key"].__setitem__(0, "0.0.0")),
    "it knows no token": lambda kept: edited(kept, lambda one: one["known"].pop("token")),
    "it knows what this version does not": lambda kept: edited(kept, lambda one: one["known"].update(more=1)),
    "it ends at no time": lambda kept: edited(kept, lambda one: one["known"].update(expires="soon")),
    "it was made at no time": lambda kept: edited(kept, lambda one: one.pop("made")),
    "its files have no names": lambda kept: edited(kept, lambda one: one.update(files=[10**30, None])),
}


@pytest.mark.parametrize("reason", FILES.values(), ids=FILES)
def test_it_is_not_used_when(kept: Kept, reason: Callable[[Kept], object]) -> None:
    assert kept.load() == kept.known
    reason(kept)
    assert kept.load() is None


VARIABLES = {
    "REQUESTS_CA_BUNDLE": "/etc/other.pem",
    "CURL_CA_BUNDLE": "/etc/other.pem",
    "HOME": "/home/other",
    "XDG_CONFIG_HOME": "/home/other/config",
    "XDG_CONFIG_DIRS": "/etc/other",
    "USERPROFILE": "C:\\Users\\other",
    "OS_CLOUD": "other",
    "OS_PASSWORD": "other",
    "OS_CLIENT_CONFIG_FILE": "/etc/other.yaml",
    "http_proxy": "http://proxy:3128",
    "https_proxy": "http://proxy:3128",
    "HTTPS_PROXY": "http://proxy:3128",
    "ALL_PROXY": "socks5://proxy",
    "no_proxy": "nova",
    "NO_PROXY": "*",
}


@pytest.mark.parametrize("name", VARIABLES)
def test_it_is_not_used_with_another_value_of(kept: Kept, name: str) -> None:
    assert kept.load({**ENV, name: VARIABLES[name]}) is None
    assert kept.load({**ENV, "HF_REQUEST_ID": "another"}) == kept.known, "a variable that has no say"


def test_it_is_not_used_without_a_variable_that_it_was_made_with(kept: Kept) -> None:
    for name in ENV:
        assert kept.load({one: value for one, value in ENV.items() if one != name}) is None


def test_it_is_used_in_every_working_directory(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(kept.environment.confdir)
    assert kept.load() == kept.known


def test_with_a_relative_path_it_is_used_only_in_its_working_directory(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    token_cache.save(kept.environment, ENV, kept.now + 1, kept.known, [str(kept.clouds), "clouds.yaml"])
    assert kept.load() == kept.known
    monkeypatch.chdir(kept.environment.confdir)
    assert kept.load() is None, "clouds.yaml is another file here"


def test_it_is_not_used_for_another_configuration_folder(kept: Kept) -> None:
    assert kept.load(confdir=kept.environment.logdir) is None


def test_it_is_not_used_for_another_provider(kept: Kept) -> None:
    other = kept.environment._replace(provider="other")
    kept.path.rename(token_cache.place(other))
    assert kept.load(provider="other") is None


@pytest.mark.parametrize(
    ("later", "good"),
    [
        pytest.param(0, True, id="at once"),
        pytest.param(token_cache.MAX_AGE - 1, True, id="just young enough"),
        pytest.param(token_cache.MAX_AGE, False, id="too old"),
        pytest.param(-1, False, id="the clock went back"),
    ],
)
def test_it_is_used_for_an_hour(kept: Kept, later: float, *, good: bool) -> None:
    assert (kept.load(later=later) == kept.known) is good


@pytest.mark.parametrize(
    ("seconds", "good"),
    [
        pytest.param(token_cache.MARGIN + 2, True, id="just long enough"),
        pytest.param(token_cache.MARGIN + 1, False, id="too near its end"),
        pytest.param(-1, False, id="past its end"),
    ],
)
def test_a_token_near_its_end_is_not_used(kept: Kept, seconds: float, *, good: bool) -> None:
    edited(kept, lambda one: one["known"].update(expires=kept.now + seconds))
    assert (kept.load(later=1) is not None) is good


def test_a_token_near_its_end_is_not_kept(kept: Kept) -> None:
    before = kept.path.read_bytes()
    short = kept.known._replace(expires=kept.now + token_cache.MARGIN)
    token_cache.save(kept.environment, ENV, kept.now, short, [str(kept.clouds)])
    assert kept.path.read_bytes() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_account_is_not_used(kept: Kept) -> None:
    os.chown(kept.path, 65534, -1)
    assert kept.load() is None


def test_a_call_during_which_a_file_changed_keeps_nothing(kept: Kept) -> None:
    token_cache.drop(kept.environment)
    changed_at = kept.clouds.stat().st_ctime
    token_cache.save(kept.environment, ENV, changed_at - 1, kept.known, [str(kept.clouds)])
    assert left(kept) == [], "it may have read the file before the change"
    token_cache.save(kept.environment, ENV, changed_at, kept.known, [str(kept.clouds)])
    assert kept.load() == kept.known


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=JSON)
def test_any_json_in_its_place_is_no_error(kept: Kept, document: object) -> None:
    kept.path.write_text(json.dumps(document), encoding="utf-8")
    assert kept.load() is None


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.sampled_from(["key", "made", "files", "known", "token", "expires", "endpoints"]), what=JSON)
def test_any_json_in_place_of_a_part_is_no_error(kept: Kept, where: str, what: object) -> None:
    token_cache.drop(kept.environment)
    kept.save()
    edited(kept, lambda one: (one if where in one else one["known"]).update({where: what}))
    kept.load()
    kept.path.write_text("{}", encoding="utf-8")
    kept.save()
    assert kept.load() == kept.known


# Writing


def test_it_can_be_dropped_twice(kept: Kept) -> None:
    for _ in range(2):
        token_cache.drop(kept.environment)
        assert left(kept) == []
    assert kept.load() is None


def test_a_missing_work_directory_is_not_created(kept: Kept, tmp_path: Path) -> None:
    elsewhere = kept.environment._replace(workdir=str(tmp_path / "not-mounted"))
    token_cache.save(elsewhere, ENV, kept.now, kept.known, [])
    assert not (tmp_path / "not-mounted").exists()


def refuse(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_failed_replacement_leaves_nothing_behind(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    before, names = kept.path.read_bytes(), left(kept)
    monkeypatch.setattr(os, "replace", refuse)
    kept.save()
    assert (kept.path.read_bytes(), left(kept)) == (before, names)


def test_a_full_disk_leaves_the_old_one(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    before, names = kept.path.read_bytes(), left(kept)
    create = os.open

    def on_a_full_disk(path: str, flags: int, mode: int = 0o777) -> int:
        os.close(create(path, flags, mode))
        return create("/dev/full", os.O_WRONLY)

    monkeypatch.setattr(os, "open", on_a_full_disk)
    kept.save()
    assert (kept.path.read_bytes(), left(kept)) == (before, names)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_no_error(kept: Kept) -> None:
    before = kept.path.read_bytes()
    kept.path.parent.chmod(0o500)
    kept.save()
    kept.path.parent.chmod(0o700)
    assert kept.path.read_bytes() == before


def test_a_file_where_the_folder_should_be_is_no_error(kept: Kept) -> None:
    token_cache.drop(kept.environment)
    kept.path.parent.rmdir()
    kept.path.parent.write_text("", encoding="utf-8")
    kept.save()
    assert kept.load() is None


def test_a_deleted_working_directory_is_no_error(kept: Kept, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    program = (
        "import os, sys, time; from hfstack.store import token_cache\n"
        "from hfstack.environment import read_environment\n"
        "os.chdir(sys.argv[1]); os.rmdir(sys.argv[1]); environment = read_environment(os.environ)\n"
        "known = token_cache.CachedAccess('t', time.time() + 7200, {}, '', {}, 'p', 'R')\n"
        "token_cache.save(environment, os.environ, time.time(), known, ['clouds.yaml'])\n"
        "print(token_cache.load(environment, os.environ, time.time()))"
    )
    env = {**os.environ, "HF_PROVIDER_WORKDIR": kept.environment.workdir, "HF_PROVIDER_NAME": "other"}
    done = subprocess.run([sys.executable, "-c", program, str(gone)], env=env, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("None\n", "")


def test_the_leftover_of_a_killed_process_is_no_obstacle(kept: Kept) -> None:
    token_cache.drop(kept.environment)
    left_behind = Path(f"{kept.path}.{os.getpid()}")
    left_behind.write_bytes(b'{"key": ')
    kept.save()
    kept.save()
    assert kept.load() == kept.known
    assert left(kept) == [kept.path.name]


def test_of_many_processes_that_save_at_once_one_file_is_left_and_it_is_whole(kept: Kept) -> None:
    token_cache.drop(kept.environment)
    program = (
        "import os, sys, time; from hfstack.store import token_cache\n"
        "from hfstack.environment import read_environment\n"
        "environment, now = read_environment(os.environ), float(sys.argv[1])\n"
        "known = token_cache.CachedAccess('x' * 100_000 + sys.argv[2], now + 7200, {}, '', {}, 'p', 'R')\n"
        "sys.stdin.read()\n"
        "for _ in range(20): token_cache.save(environment, os.environ, now, known, [])"
    )
    env = {**os.environ, "HF_PROVIDER_WORKDIR": kept.environment.workdir, "HF_PROVIDER_NAME": "bank"}
    env["EGOSC_INSTANCE_HOST"] = "master1"
    savers = [
        subprocess.Popen([sys.executable, "-c", program, str(kept.now), str(number)], env=env, stdin=subprocess.PIPE)
        for number in range(20)
    ]
    for saver in savers:
        assert saver.stdin
        saver.stdin.close()
    seen = set()
    while any([saver.poll() is None for saver in savers]):  # noqa: C419 - each is asked
        if kept.path.exists():
            seen.add(json.loads(kept.path.read_bytes())["known"]["token"].lstrip("x"))
    assert [saver.returncode for saver in savers] == [0] * 20
    seen.add(kept.document()["known"]["token"].lstrip("x"))
    assert seen <= {str(number) for number in range(20)}
    assert left(kept) == [kept.path.name]
