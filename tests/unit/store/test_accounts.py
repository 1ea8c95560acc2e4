"""Root and HostFactory's account in one work directory: neither locks the other out (case `root first`)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hfstack import _posix
from hfstack.environment import Environment, read_environment
from hfstack.errors import FactsUnreadable
from hfstack.log import Log
from hfstack.store import token_cache
from hfstack.store.facts import load_acquire, load_return
from hfstack.store.name_cache import Names
from hfstack.store.write import forget, record, write_polled
from tests.accounts import ACCOUNT, AS_ROOT, GROUP, OTHER, account, accounts_site
from tests.unit.records import CREATED_AT, REQUEST, RETURN, server_id

pytestmark = [AS_ROOT, pytest.mark.premise("All calls run under one account.")]

ASKED = {"asked": CREATED_AT, "names": ["hf-1"], "requestTimeout": 900}
RETURNING = {"asked": CREATED_AT, "returnTimeout": 600, "machines": [{"machineId": server_id(1)}]}
NOW = float(CREATED_AT)


@pytest.fixture
def environment() -> Iterator[Environment]:
    """A provider whose work and log folders belong to the account."""
    with accounts_site() as variables:
        yield read_environment(variables)


def use(environment: Environment, request_id: str, asked: dict[str, object]) -> None:
    """Write everything that a call may write."""
    assert record(environment.workdir, request_id, "asked.json", asked)
    known = token_cache.CachedAccess("token", NOW + 7200, {}, "", {}, "p", "RegionOne")
    token_cache.save(environment, {}, NOW, known, [])
    names = Names(environment, "token", NOW)
    names.put("image", request_id, "i-1")
    names.keep()
    log = Log(environment, "requestMachines")
    log.info(request_id)
    assert log.trouble == ""


def check(environment: Environment) -> None:
    """Read everything that both wrote."""
    assert load_acquire(environment.workdir, REQUEST)
    assert load_return(environment.workdir, RETURN)
    known = token_cache.load(environment, {}, NOW)
    assert known
    assert known.token == "token"
    names = Names(environment, "token", NOW)
    assert (names.get("image", REQUEST), names.get("image", RETURN)) == ("i-1", "i-1")


def everything(environment: Environment) -> list[Path]:
    return [path for folder in (environment.workdir, environment.logdir) for path in Path(folder).rglob("*")]


@pytest.mark.parametrize("first", [0, ACCOUNT])
def test_neither_root_nor_the_account_locks_the_other_out(environment: Environment, first: int) -> None:
    second = ACCOUNT - first
    with account(first):
        use(environment, REQUEST, ASKED)
    with account(second):
        use(environment, RETURN, RETURNING)
        check(environment)
        write_polled(environment.workdir, REQUEST, NOW)
    with account(first):
        check(environment)
        assert write_polled(environment.workdir, REQUEST, NOW) is False
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in everything(environment)}
    assert owners == {(ACCOUNT, GROUP)}
    names = sorted(path.name for path in Path(environment.workdir, "cache").iterdir())
    assert names == [f"access-bank-master1-{ACCOUNT}.json", f"names-bank-master1-{ACCOUNT}.json"]
    with account(ACCOUNT):
        forget(environment.workdir, REQUEST)
        forget(environment.workdir, RETURN)


def test_the_modes_are_the_usual_ones(environment: Environment) -> None:
    with account(0):
        use(environment, REQUEST, ASKED)
    for path in Path(environment.workdir).rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)
    assert {path.stat().st_mode & 0o777 for path in Path(environment.logdir).iterdir()} == {0o640}


def test_a_log_folder_that_root_makes_is_the_accounts(environment: Environment) -> None:
    deeper = environment._replace(logdir=os.path.join(environment.logdir, "hf", "bank"))
    with account(0):
        Log(deeper, "getRequestStatus").error("x")
    with account(ACCOUNT):
        log = Log(deeper, "getRequestStatus")
        log.error("y")
    assert (log.trouble, len(Path(log.path).read_text("utf-8").splitlines())) == ("", 2)
    assert {path.stat().st_uid for path in everything(environment)} == {ACCOUNT}


def test_what_root_makes_is_handed_over_before_it_has_its_name(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has a name belongs to the account already, whenever it looks."""

    def looked(action: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            found = action(*arguments, **options)
            named = [path for path in everything(environment) if not path.name.startswith(".")]
            finished = [path for path in named if path.suffix in {"", ".json", ".log"}]
            assert {path.stat().st_uid for path in finished} <= {ACCOUNT}
            return found

        return call

    for name in ("open", "mkdir", "rename", "link", "chown", "close"):
        monkeypatch.setattr(os, name, looked(getattr(os, name)))
    use(environment, REQUEST, ASKED)
    monkeypatch.undo()
    assert len(everything(environment)) == 8


@pytest.mark.parametrize("verb", ["open", "chown"])
def test_what_cannot_be_handed_over_is_not_left_behind(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(1, "Operation not permitted")

    path = os.path.join(environment.workdir, "requests")
    with monkeypatch.context() as patched:
        patched.setattr(os, verb, refuse)
        for make in (_posix.make_private_folder, _posix.create_private):
            with pytest.raises(PermissionError):
                make(path)
    assert os.listdir(environment.workdir) == []


@pytest.mark.parametrize("there", ["folder", "file"])
def test_a_folder_that_appears_meanwhile_stays(environment: Environment, there: str) -> None:
    path = Path(environment.workdir, "requests")
    if there == "folder":
        path.mkdir()
        (path / "one").write_bytes(b"")
    else:
        path.write_bytes(b"")
    with pytest.raises(FileExistsError):
        _posix.make_private_folder(str(path))
    assert os.listdir(environment.workdir) == ["requests"]


def test_root_in_its_own_work_directory_believes_no_other_account(environment: Environment) -> None:
    with account(ACCOUNT):
        use(environment, REQUEST, ASKED)
    os.chown(environment.workdir, 0, 0)
    with pytest.raises(FactsUnreadable, match=f"its owner is uid {ACCOUNT}"):
        load_acquire(environment.workdir, REQUEST)
    assert token_cache.load(environment, {}, NOW) is None


def test_another_accounts_records_are_not_believed(environment: Environment) -> None:
    with account(ACCOUNT):
        use(environment, REQUEST, ASKED)
    os.chown(Path(environment.workdir, "requests", REQUEST), OTHER, GROUP)
    for uid in (0, ACCOUNT):
        with account(uid), pytest.raises(FactsUnreadable, match=f"its owner is uid {OTHER}"):
            load_acquire(environment.workdir, REQUEST)


def test_a_cache_folder_of_another_account_is_not_used(environment: Environment) -> None:
    with account(ACCOUNT):
        use(environment, REQUEST, ASKED)
    folder = Path(environment.workdir, "cache")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for owner, mode in ((OTHER, 0o700), (ACCOUNT, 0o777)):
        os.chown(folder, owner, GROUP)
        folder.chmod(mode)
        for uid in (0, ACCOUNT):
            with account(uid):
                assert token_cache.load(environment, {}, NOW) is None
                use_again = token_cache.CachedAccess("other", NOW + 7200, {}, "", {}, "p", "RegionOne")
                token_cache.save(environment, {}, NOW, use_again, [])
                token_cache.drop(environment)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_cache_folder_that_is_a_link_is_not_used(environment: Environment) -> None:
    with account(ACCOUNT):
        use(environment, REQUEST, ASKED)
        folder = Path(environment.workdir, "cache")
        folder.rename(folder.with_name("elsewhere"))
        folder.symlink_to("elsewhere")
        assert token_cache.load(environment, {}, NOW) is None
        token_cache.drop(environment)
    assert len(os.listdir(Path(environment.workdir, "elsewhere"))) == 2
