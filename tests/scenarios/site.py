"""A site as HostFactory sees it: its folders and files, and the program it calls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from hfstack import schema, states
from tests import ROOT
from tests.scenarios import older, windows


def program(kind: str, command: str) -> list[str]:
    """Return how HostFactory's command is called: from the source tree, or frozen for one system or another."""
    if kind in windows.KINDS:
        return windows.program(kind, command)
    if kind == "frozen":
        return [str(older.SCRIPTS / f"{command}.sh")]
    if kind == "portable":
        return older.inside(f"/opt/hfstack/scripts/{command}.sh")
    return [sys.executable, "-m", "hfstack", command]


def administrator(kind: str) -> list[str]:
    """Return how the administrator's command is called."""
    if kind in windows.KINDS:
        return windows.program("windows", "hfstack")
    if kind == "frozen":
        return [str(older.FROZEN / "hfstack")]
    if kind == "portable":
        return older.inside("/opt/hfstack/bin/hfstack")
    return [sys.executable, "-m", "hfstack"]


DOCUMENT: TypeAdapter[schema.StatusDocument] = TypeAdapter(schema.StatusDocument)

ALWAYS = {"machineId", "name", "result", "privateIpAddress", "launchtime", "message"}


class Site:
    """One provider instance in a folder of its own."""

    def __init__(self, folder: Path, program: str, clouds_yaml: Path, **config: object) -> None:
        self.program = program
        self.confdir, self.workdir, self.logdir = (folder / name for name in ("conf", "work", "log"))
        for path in (self.confdir, self.workdir, self.logdir):
            path.mkdir(parents=True)
        self.clouds = yaml.safe_load(clouds_yaml.read_text(encoding="utf-8"))
        self.configure(cloud="member", **config)
        self.write_clouds()

    def configure(self, **config: object) -> None:
        """Write the provider's configuration anew."""
        (self.confdir / "openstackprov_config.json").write_text(json.dumps(config), encoding="utf-8")

    def write_clouds(self) -> None:
        """Write clouds.yaml as `clouds` now says."""
        (self.confdir / "clouds.yaml").write_text(yaml.safe_dump(self.clouds), encoding="utf-8")

    def record(self, request_id: str, fact: str, **content: object) -> None:
        """Record a fact, as the commands that start requests do, in a file as old as `asked` says."""
        folder = self.workdir / "requests" / request_id
        folder.mkdir(parents=True, exist_ok=True)
        (folder / fact).write_text(json.dumps(content), encoding="utf-8")
        then = float(str(content.get("asked", time.time())))
        os.utime(folder / fact, (then, then))

    def age(self, request_id: str, seconds: float) -> None:
        """Make the facts of a request older."""
        for path in (self.workdir / "requests" / request_id).iterdir():
            then = path.stat().st_mtime - seconds
            os.utime(path, (then, then))

    def record_acquire(self, request_id: str, names: list[str], ids: list[str] | None = None, age: float = 0) -> None:
        """Record a request for machines, and what its POSTs answered."""
        self.record(request_id, "asked.json", asked=time.time() - age, requestTimeout=1800, names=names)
        if ids is not None:
            created = [{"name": name, "machineId": one} for name, one in zip(names, ids, strict=True)]
            self.record(request_id, "created.json", machines=created)
            then = time.time() - age
            os.utime(self.workdir / "requests" / request_id / "created.json", (then, then))

    def record_return(self, request_id: str, servers: list[dict[str, Any]], age: float = 0) -> None:
        """Record a return of machines."""
        machines = [
            {"machineId": one["id"], "name": one["name"], "privateIpAddress": "10.9.9.9", "launchtime": 1700000000}
            for one in servers
        ]
        self.record(request_id, "asked.json", asked=time.time() - age, returnTimeout=1800, machines=machines)

    def run(
        self, document: object, command: str = "getRequestStatus", **env: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Call a command as HostFactory does."""
        # a file for each call, as HostFactory does: threads may call at the same time
        handle, path = tempfile.mkstemp(prefix="hf_in_", dir=self.confdir.parent)
        with open(handle, "wb") as file:
            file.write(document if isinstance(document, bytes) else json.dumps(document).encode())
        return subprocess.run(
            self.command(command, Path(path)),
            env=self.environment(**env),
            capture_output=True,
            check=False,
            timeout=300,
        )

    def command(self, name: str, path: Path) -> list[str]:
        """Return how one of HostFactory's commands is called for an input file."""
        return [*program(self.program, name), "-f", self.path(path)]

    def path(self, path: Path) -> str:
        """Return a path as the program sees it."""
        return windows.path(path) if self.program in windows.KINDS else str(path)

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment that HostFactory gives to a command, and `more`."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.confdir.parent),
            "LANG": "C",
            "HF_PROVIDER_NAME": "osinst",
            "HF_PROVIDER_CONFDIR": str(self.confdir),
            "HF_PROVIDER_WORKDIR": str(self.workdir),
            "HF_PROVIDER_LOGDIR": str(self.logdir),
            "HF_LOGLEVEL": "LOG_DEBUG",
            **more,
        }
        if self.program in windows.KINDS:
            return windows.environment(environment)
        return {**environment, "PYTHONPATH": str(ROOT)} if self.program == "source" else environment

    def ask(self, command: str, document: object, code: int = 0) -> dict[str, Any]:
        """Call a command and return the document that it printed."""
        done = self.run(document, command)
        assert done.stderr == b""
        assert done.returncode == code, done.stdout
        self.check_no_secret(done.stdout.decode())
        return parse(done.stdout)

    def write_templates(self, *templates: dict[str, Any]) -> None:
        """Write the template file: each of the given templates over a small default one."""
        attributes = {"type": ["String", "X86_64"], "ncpus": ["Numeric", "1"], "nram": ["Numeric", "512"]}
        default = {"templateId": "small", "maxNumber": 100, "attributes": attributes}
        server = {"image": "cirros", "flavor": "m1.tiny", "networks": ["private"]}
        document = {"templates": [{**default, **server, **one} for one in templates]}
        (self.confdir / "openstackprov_templates.json").write_text(json.dumps(document), encoding="utf-8")

    def poll(self, *request_ids: str, **env: str) -> list[dict[str, Any]]:
        """Ask for requests, in a list, and return their answers after checking what holds for every answer."""
        done = self.run({"requests": [{"requestId": request_id} for request_id in request_ids]}, **env)
        assert done.stderr == b""
        assert done.returncode == 0, done.stdout
        document = parse(done.stdout)
        answers: list[dict[str, Any]] = document["requests"]
        assert [answer["requestId"] for answer in answers] == list(request_ids)
        for answer in answers:
            check(answer)
        self.check_no_secret(done.stdout.decode())
        return answers

    def poll_one(self, request_id: str, **env: str) -> dict[str, Any]:
        """Ask for one request."""
        return self.poll(request_id, **env)[0]

    def forget_login(self) -> None:
        """Have the next call log in."""
        for path in (self.workdir / "cache").glob("*"):
            path.unlink()

    def log(self) -> str:
        """Return all that was logged."""
        return "".join(path.read_text(encoding="utf-8") for path in sorted(self.logdir.iterdir()))

    def check_no_secret(self, stdout: str) -> None:
        """Look for passwords, secrets and tokens where they must not be."""
        everything = stdout + self.log()
        recorded = [path for path in self.workdir.rglob("*.json") if path.parent.name != "cache"]
        everything += "".join(path.read_text(encoding="utf-8") for path in recorded)
        assert "gAAAAA" not in everything, "a Keystone token"
        for cloud in self.clouds["clouds"].values():
            for key in ("password", "application_credential_secret", "token"):
                secret = cloud["auth"].get(key, "")
                assert len(secret) < 8 or secret not in everything, key


def parse(stdout: bytes) -> dict[str, Any]:
    """Return the one document on stdout."""
    text = stdout.decode("utf-8")
    assert text.endswith("\n")
    assert "\r" not in text
    assert text.count("\n") == 1
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


def check(answer: dict[str, Any]) -> None:
    """Check what holds for every answer, whatever the cloud did."""
    DOCUMENT.validate_python({"requests": answer}, strict=True)
    machines = answer["machines"]
    for machine in machines:
        assert set(machine) >= ALWAYS
        assert set(machine) <= ALWAYS | {"status", "publicIpAddress"}
        assert machine["launchtime"] > 1_600_000_000
        assert machine["message"] or machine["result"] != states.FAIL
        # a returned machine may have gone before anybody saw its address
        returned = answer["requestId"].startswith("ret-")
        assert machine["privateIpAddress"] or machine["result"] != states.SUCCEED or returned
    results = {machine["result"] for machine in machines}
    if states.EXECUTING in results:
        assert answer["status"] == "running"
    if answer["status"] == "complete":
        assert results == {states.SUCCEED}
    if answer["status"] == "complete_with_error":
        assert answer["message"]
