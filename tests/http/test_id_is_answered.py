"""Once a server may exist, requestMachines answers with the id, whatever the host runs out of.

The case "disk full" is among them.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hfstack.cloud.nova import Nova
from hfstack.sandbox import Sandbox
from hfstack.store import files
from tests.http.conftest import Call
from tests.scenarios.site import Site

# the sockets of a call that broke off are closed by its process
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.premise("The work directory has room, and can be written."),
]

MACHINES = 3
WANTED = {"template": {"templateId": "small", "machineCount": MACHINES}}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, sandbox: Sandbox) -> Site:
    """A site whose cloud is the sandbox."""
    clouds = tmp_path / "clouds.yaml"
    sandbox.write_clouds_yaml(str(clouds))
    made = Site(tmp_path / "site", "source", clouds)
    made.write_templates({})
    return made


def servers(sandbox: Sandbox) -> int:
    return len(list(sandbox.cloud.counted()))


def check_answered(place: Site, sandbox: Sandbox, answer: dict[str, Any], call: Call, made: int) -> None:
    """Check that the id leads to every server that was made, and that all of them can be returned."""
    assert servers(sandbox) == made
    done: dict[str, Any] = {}
    for _ in range(2):
        document = {"requests": {"requestId": answer["requestId"]}}
        done = call("getRequestStatus", document, place.environment())["requests"]
    succeeded = [one for one in done["machines"] if one["result"] == "succeed"]
    assert len(succeeded) == made
    call("requestReturnMachines", {"machines": succeeded}, place.environment())
    assert servers(sandbox) == 0


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.EIO, errno.ESTALE])
@pytest.mark.parametrize("step", ["create", "publish"])
def test_the_results_of_the_posts_cannot_be_recorded(
    place: Site, sandbox: Sandbox, call: Call, monkeypatch: pytest.MonkeyPatch, code: int, step: str
) -> None:
    whole = getattr(files, step)

    def failing(path: str, *more: str) -> Any:
        if "created.json" in path:
            raise OSError(code, os.strerror(code))
        return whole(path, *more)

    with monkeypatch.context() as patched:
        patched.setattr(files, step, failing)
        answer = call("requestMachines", WANTED, place.environment())
    assert f"created.json: {os.strerror(code)}" in answer["message"]
    assert f"WARNING {answer['requestId']} cannot record" in place.log()
    check_answered(place, sandbox, answer, call, MACHINES)


@pytest.mark.parametrize("started", [0, 1])
def test_no_more_threads_can_be_started(
    place: Site, sandbox: Sandbox, call: Call, monkeypatch: pytest.MonkeyPatch, started: int
) -> None:
    whole, left = threading.Thread.start, [started]
    # the sandbox answers in threads of this process
    ours = threading.current_thread()

    def start(thread: threading.Thread) -> None:
        if threading.current_thread() is ours:
            if not left[0]:
                raise RuntimeError("can't start new thread")
            left[0] -= 1
        whole(thread)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        answer = call("requestMachines", WANTED, place.environment())
    assert "with fewer threads than createConcurrency: can't start new thread" in answer["message"]
    assert "can't start new thread" in place.log()
    check_answered(place, sandbox, answer, call, MACHINES)


def test_an_error_that_nobody_foresaw_between_two_posts(
    place: Site, sandbox: Sandbox, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.configure(cloud="member", createConcurrency=1)
    whole, sent = Nova.create, []

    def create(nova: Nova, document: dict[str, Any]) -> str:
        sent.append(document)
        if len(sent) == 2:
            raise MemoryError
        return whole(nova, document)

    with monkeypatch.context() as patched:
        patched.setattr(Nova, "create", create)
        answer = call("requestMachines", WANTED, place.environment())
    assert answer["message"] == "not every result is known: MemoryError: "
    place.age(answer["requestId"], 1800)
    check_answered(place, sandbox, answer, call, MACHINES - 1)


def test_an_error_before_the_first_post_has_no_id(
    place: Site, sandbox: Sandbox, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def record(*_: object) -> bool:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "write_once", record)
    answer = call("requestMachines", WANTED, place.environment(), 1)
    assert list(answer) == ["message"]
    assert servers(sandbox) == 0


def few_files() -> None:
    """Let the process open so few files that something fails somewhere in the middle."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9))


def test_a_process_that_can_hardly_open_a_file_answers_with_the_id_or_makes_nothing(
    place: Site, sandbox: Sandbox, call: Call
) -> None:
    path = place.confdir.parent / "hf_in_files"
    path.write_text(json.dumps({"template": {"templateId": "small", "machineCount": 20}}), "utf-8")
    done = subprocess.run(
        place.command("requestMachines", path),
        env=place.environment(),
        capture_output=True,
        preexec_fn=few_files,
        check=False,
    )
    answer = json.loads(done.stdout)
    assert ("requestId" in answer) == (done.returncode == 0)
    made = servers(sandbox)
    assert made == 0 or "requestId" in answer
    if made:
        check_answered(place, sandbox, answer, call, made)


# Nobody reads the answer


@pytest.mark.premise("HostFactory reads every answer.")
@pytest.mark.parametrize("where", ["full", "closed"])
def test_an_answer_that_is_not_delivered_is_logged_and_its_machines_are_reaped_late(
    place: Site, sandbox: Sandbox, call: Call, where: str
) -> None:
    path = place.confdir.parent / "hf_in_unread"
    path.write_text(json.dumps(WANTED), "utf-8")
    command = place.command("requestMachines", path)
    redirection = ">/dev/full" if where == "full" else ">&-"
    done = subprocess.run(
        ["sh", "-c", f'"$@" {redirection}', "sh", *command], env=place.environment(), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, b"")
    assert "WARNING" in place.log()
    assert "the answer was not delivered" in place.log()
    (folder,) = [one for one in (place.workdir / "requests").iterdir() if one.name.startswith("req-")]
    for age, left in ((3500, MACHINES), (101, 0)):
        place.age(folder.name, age)
        call("getReturnRequests", {}, place.environment())
        assert servers(sandbox) == left
