"""Whole commands by root and by HostFactory's account in one instance, or while its file system is not mounted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hfstack import cli
from tests.accounts import ACCOUNT, AS_ROOT, account, accounts_site
from tests.http.conftest import CLOUDS, Call, Cloud, Site
from tests.unit.records import CREATED_AT, REQUEST, RETURN, server

pytestmark = pytest.mark.premise("All calls run under one account.")

ASKED = {"asked": CREATED_AT, "names": ["hf-33e9ed03-1"], "requestTimeout": 900}


@pytest.fixture
def env() -> Iterator[dict[str, str]]:
    with accounts_site() as variables:
        Path(variables["HF_PROVIDER_CONFDIR"], "clouds.yaml").write_text(CLOUDS, "utf-8")
        yield variables


@AS_ROOT
@pytest.mark.parametrize("first", [0, ACCOUNT])
def test_neither_root_nor_the_account_locks_the_other_out(
    env: dict[str, str], site: Site, cloud: Cloud, first: int, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Case `root first`, and the reverse."""

    def ask(command: str, variables: dict[str, str]) -> Any:
        path = Path(env["HF_PROVIDER_CONFDIR"], "input")
        assert cli.run(command, ["-f", str(path)], variables) == 0
        return json.loads(capsysbinary.readouterr().out)["requests"]

    document = {"requests": {"requestId": REQUEST}}
    Path(env["HF_PROVIDER_CONFDIR"], "input").write_text(json.dumps(document), "utf-8")
    work, log = (Path(env[f"HF_PROVIDER_{name}DIR"]) for name in ("WORK", "LOG"))
    cloud.servers = [server(1)]
    for command in ("getRequestStatus", "getReturnRequests"):
        ask(command, site.env)  # so that everything is imported, which the account may not be able to read
    with account(ACCOUNT):
        folder = work / "requests" / REQUEST
        folder.mkdir(parents=True)
        (folder / "asked.json").write_text(json.dumps(ASKED), "utf-8")
    for uid in (first, ACCOUNT - first, first):
        with account(uid):
            answer = ask("getRequestStatus", env)
            assert (answer["status"], answer["message"]) == ("complete", "")
            assert ask("getReturnRequests", env) == []
    made = [path for folder in (work, log) for path in folder.rglob("*")]
    assert {path.name for path in made} >= {"polled.json", "ended.json", "bank-provider.master1.log", ".hfstack"}
    assert {path.stat().st_uid for path in made} == {ACCOUNT}
    assert len(next(log.iterdir()).read_text("utf-8").splitlines()) >= 6


def test_a_file_system_that_is_not_mounted_concludes_nothing(site: Site, call: Call, cloud: Cloud) -> None:
    (site.work / "requests" / ".hfstack").unlink()
    (site.work / "requests").rmdir()
    for request_id in (REQUEST, RETURN):
        answer = call("getRequestStatus", {"requests": {"requestId": request_id}}, site.env)["requests"]
        assert (answer["status"], answer["machines"]) == ("running", [])
        assert "holds no records of hfstack at all: is its file system mounted?" in answer["message"]
    assert call("getReturnRequests", {}, site.env)["requests"] == []
    assert cloud.deletes() == []
    answer = call("getRequestStatus", {"requests": {"requestId": "req-1"}}, site.env)["requests"]
    assert answer["status"] == "complete_with_error", "hfstack makes no such id"
