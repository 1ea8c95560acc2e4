"""`hfstack demo`: the life of three machines against the sandbox, as HostFactory sees it.

Starts a sandbox and calls the commands as HostFactory does, a process per question: requestMachines, getRequestStatus
until the machines are there, requestReturnMachines, getRequestStatus until they are gone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from hfstack.sandbox import Sandbox

MACHINES = 3

BUILD_SECONDS = 2.0
DELETE_SECONDS = 1.0
"""How long the sandbox takes for each machine."""

TEMPLATE = {
    "templateId": "small",
    "maxNumber": 10,
    "attributes": {"type": ["String", "X86_64"], "ncpus": ["Numeric", "1"], "nram": ["Numeric", "2048"]},
    "image": "cirros",
    "flavor": "m1.small",
    "networks": ["private"],
}

PATIENCE = 60
"""Seconds after which the demonstration has failed."""


def demo(arguments: Sequence[str]) -> int:
    """Run the demonstration; return 0 if the request became complete."""
    console = Console(highlight=False, soft_wrap=True)
    if arguments:
        console.print("usage: hfstack demo")
        return 0 if list(arguments) in (["--help"], ["-h"]) else 2
    with tempfile.TemporaryDirectory(prefix="hfstack-demo-") as folder, Sandbox() as sandbox:
        sandbox.cloud.knobs.update({"spawn_delay": BUILD_SECONDS, "destroy_delay": DELETE_SECONDS})
        site = Site(Path(folder), sandbox, console)
        console.print(f"A sandbox cloud is up: Keystone at {sandbox.url('keystone')}, Nova at {sandbox.url('nova')}.")
        answer = site.ask("requestMachines", {"template": {"templateId": "small", "machineCount": MACHINES}})
        there = watch(site, answer["requestId"], console)
        machines = [{"name": one["name"], "machineId": one["machineId"]} for one in there["machines"]]
        answer = site.ask("requestReturnMachines", {"machines": machines})
        gone = watch(site, answer["requestId"], console)
        console.print("\nWhat was logged:")
        console.print(site.log().rstrip(), markup=False)
        well = there["status"] == gone["status"] == "complete"
        console.print(f"\nThe machines came: {there['status']}. They went: {gone['status']}.")
        return 0 if well else 1


class Site:
    """A provider instance in a folder of its own, as HostFactory's administrator would set it up."""

    def __init__(self, folder: Path, sandbox: Sandbox, console: Console) -> None:
        self.console = console
        self.folders = {name: folder / name for name in ("conf", "work", "log")}
        for path in self.folders.values():
            path.mkdir()
        conf = self.folders["conf"]
        sandbox.write_clouds_yaml(str(conf / "clouds.yaml"))
        config = {"cloud": "member", "privateNetworks": ["private"]}
        (conf / "demoprov_config.json").write_text(json.dumps(config), encoding="utf-8")
        (conf / "demoprov_templates.json").write_text(json.dumps({"templates": [TEMPLATE]}), encoding="utf-8")
        self.input = folder / "hf_in_demo"

    def ask(self, command: str, document: object) -> dict[str, Any]:
        """Show and make a call of HostFactory's; return the document that it printed."""
        self.console.print(f"\nHostFactory asks: {command} {json.dumps(document)}", markup=False)
        answer = self.call(command, document)
        self.console.print_json(json.dumps(answer))
        return answer

    def call(self, command: str, document: object) -> dict[str, Any]:
        """Call a command as HostFactory does; return the document that it printed."""
        self.input.write_text(json.dumps(document), encoding="utf-8")
        environment = {
            **os.environ,
            "HF_PROVIDER_NAME": "demo",
            "HF_PROVIDER_CONFDIR": str(self.folders["conf"]),
            "HF_PROVIDER_WORKDIR": str(self.folders["work"]),
            "HF_PROVIDER_LOGDIR": str(self.folders["log"]),
        }
        frozen = getattr(sys, "frozen", False)
        program = [str(Path(sys.executable).parent / "hfstack")] if frozen else [sys.executable, "-m", "hfstack"]
        done = subprocess.run(
            [*program, command, "-f", str(self.input)], env=environment, capture_output=True, check=True
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def log(self) -> str:
        """Return the provider's log."""
        return "".join(path.read_text(encoding="utf-8") for path in self.folders["log"].iterdir())


def watch(site: Site, request_id: str, console: Console) -> dict[str, Any]:
    """Poll until a request has ended, with a bar; show the first and the last answer, return the last."""
    document = {"requests": [{"requestId": request_id}]}
    console.print(f"\nHostFactory asks again and again: getRequestStatus {json.dumps(document)}", markup=False)
    answers: list[dict[str, Any]] = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    deadline = time.monotonic() + PATIENCE
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("…", total=MACHINES)
        while time.monotonic() < deadline:
            answers.append(site.call("getRequestStatus", document))
            answer = answers[-1]["requests"][0]
            ready = sum(machine["result"] == "succeed" for machine in answer["machines"])
            progress.update(task, completed=ready, description=f"{answer['status']}: {ready} of {MACHINES} machines")
            if answer["status"] != "running":
                break
            time.sleep(0.3)
    for title, answer in (("The first answer", answers[0]), (f"The last of {len(answers)} answers", answers[-1])):
        console.print(f"{title}:")
        console.print_json(json.dumps(answer))
    last: dict[str, Any] = answers[-1]["requests"][0]
    return last
