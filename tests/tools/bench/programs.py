"""The programs that are measured, each as it is started on a stage and what its right answer looks like."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.parse
from collections.abc import Callable
from functools import partial

from openstack.config import OpenStackConfig

from tests import ROOT
from tests.scenarios.site import program
from tests.tools.bench import rivals
from tests.tools.bench.measure import BenchError, Program
from tests.tools.bench.stage import Stage

BARE, NAIVE, CLIENT, CURL = "bare interpreter", "naive frozen", "openstack client", "curl"
WARM, COLD, SCRIPT, SOURCE = "hfstack warm", "hfstack cold", "hfstack warm, by its script", "source tree warm"
MAKE = "requestMachines"

FROZEN = ROOT / "dist" / "linux-x86_64" / "hfstack"

PAGE = 1000
"""The most servers that Nova shows at a time, here as in its defaults."""


def interpreter() -> str:
    """Return the interpreter that the program was frozen with. Raises `BenchError` if nothing is frozen."""
    if not FROZEN.exists():
        raise BenchError(f"{FROZEN.relative_to(ROOT)} is not there: run make bench")
    return os.path.realpath(rivals.freezer())


def version() -> str:
    """Return that interpreter's version."""
    done = subprocess.run([interpreter(), "--version"], capture_output=True, text=True, check=True)
    return done.stdout.removeprefix("Python ").strip()


def on(stage: Stage, name: str) -> Program | None:
    """Make a program ready for a stage; `None` if this machine does not have it."""
    return PREPARED[name](stage)


def forget_access(stage: Stage) -> None:
    """Remove what hfstack keeps of a login from one call to the next."""
    for path in (stage.site.workdir / "cache").glob("access-*.json"):
        path.unlink()


def bare(_: Stage) -> Program:
    """The interpreter that does nothing: the unit of all ratios."""
    return Program(BARE, [interpreter(), "-I", "-S", "-c", "pass"], {}, lambda text: not text)


def warm(stage: Stage) -> Program:
    """The frozen program as its script calls it, by its name."""
    return ours(WARM, stage, str(FROZEN / "getRequestStatus"))


def cold(stage: Stage) -> Program:
    """The same as the first call of a site: it has to log in."""
    return warm(stage)._replace(name=COLD, before=partial(forget_access, stage))


def script(stage: Stage) -> Program:
    """The same through the script that HostFactory calls."""
    return ours(SCRIPT, stage, *program("frozen", "getRequestStatus"))


def source(stage: Stage) -> Program:
    """The same from the source tree."""
    return ours(SOURCE, stage, sys.executable, "-m", "hfstack", "getRequestStatus")


def ours(name: str, stage: Stage, *command: str) -> Program:
    """Call hfstack as HostFactory does."""
    environment = {**stage.site.environment(), "HF_LOGLEVEL": "LOG_INFO"}
    return Program(name, [*command, "-f", str(stage.input)], environment, machines_of(stage))


def naive(stage: Stage) -> Program:
    """The naive program, frozen."""
    return Program(NAIVE, [rivals.naive(), "-f", str(stage.input)], os_environment(stage), machines_of(stage))


def client(stage: Stage) -> Program | None:
    """OpenStack's own client."""
    path = rivals.client()
    if path is None:
        return None
    command = [path, "server", "list", "--long", "-f", "json"]
    return Program(CLIENT, command, os_environment(stage), lambda text: len(json.loads(text)) == stage.servers)


def curl(stage: Stage) -> Program | None:
    """One request with a token that somebody else got; as many servers as Nova shows on one page."""
    path = rivals.curl()
    if path is None:
        return None
    tags = urllib.parse.urlencode({"tags": f"hf:{stage.request_id}"})
    # in a file, as a token does not belong on a command line
    options = stage.folder / "curl"
    options.touch(mode=0o600)
    options.write_text(
        f'url = "{stage.urls["nova"]}/v2.1/servers/detail?{tags}"\n'
        f'header = "X-Auth-Token: {token(stage)}"\n'
        'header = "OpenStack-API-Version: compute 2.79"\n'
        + (f'cacert = "{stage.certificate}"\n' if stage.certificate else ""),
        encoding="utf-8",
    )
    shown = min(stage.servers, PAGE)
    command = [path, "--disable", "--silent", "--show-error", "--fail", "--config", str(options)]
    return Program(CURL, command, {}, lambda text: len(json.loads(text)["servers"]) == shown)


def make_machines(stage: Stage, count: int) -> Program:
    """The frozen requestMachines; every call makes `count` more servers."""
    stage.site.write_templates({"templateId": "bench", "maxNumber": -1})
    document = {"template": {"templateId": "bench", "machineCount": count}}
    stage.input.write_text(json.dumps(document), encoding="utf-8")
    return ours(MAKE, stage, str(FROZEN / MAKE))._replace(
        check=lambda text: json.loads(text)["message"] == f"Requested {count} machine{'s' if count > 1 else ''}"
    )


def machines_of(stage: Stage) -> Callable[[str], bool]:
    """Check HostFactory's answer: complete, with every server of the stage."""

    def check(text: str) -> bool:
        (answer,) = json.loads(text)["requests"]
        return answer["status"] == "complete" and len(answer["machines"]) == stage.servers

    return check


def os_environment(stage: Stage) -> dict[str, str]:
    """The variables that OpenStack's own programs look at."""
    clouds = str(stage.site.confdir / "clouds.yaml")
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(stage.folder),
        "LANG": "C",
        "OS_CLIENT_CONFIG_FILE": clouds,
        "OS_CLOUD": "member",
    }


def token(stage: Stage) -> str:
    """Log in as the site's account."""
    clouds = OpenStackConfig(config_files=[str(stage.site.confdir / "clouds.yaml")], load_envvars=False)
    return str(clouds.get_one("member").get_session().get_token())


PREPARED: dict[str, Callable[[Stage], Program | None]] = {
    BARE: bare,
    WARM: warm,
    COLD: cold,
    SCRIPT: script,
    SOURCE: source,
    NAIVE: naive,
    CLIENT: client,
    CURL: curl,
}
