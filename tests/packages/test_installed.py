"""HostFactory is pointed at the installed package with the package's own example files, and calls it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import release
from hfstack import __version__
from hfstack.sandbox import Sandbox
from tests.docs import pages
from tests.packages.conftest import System

SITE = {"grid": "private", "rocky-9-symphony": "cirros", "m1.large": "m1.small"}
"""What the examples call the site's network, image and flavor, and what the sandbox calls them."""


class HostFactory:
    """What HostFactory makes of its configuration: where the scripts are, and what they find in the environment."""

    def __init__(self, folder: Path, root: Path) -> None:
        """Read the configuration; paths in it are those of the system below `root`."""
        self.folder = folder
        (plugin,) = self.read("hostProviderPlugins.json")["providerplugins"]
        (provider,) = self.read("hostProviders.json")["providers"]
        assert provider["plugin"] == plugin["name"]
        self.scripts = root / plugin["scriptPath"].lstrip("/")
        names = {"${HF_CONFDIR}": "conf", "${HF_WORKDIR}": "work", "${HF_LOGDIR}": "log"}
        self.environment = {"PATH": "/usr/bin:/bin", "HF_PROVIDER_NAME": provider["name"]}
        for kind in ("conf", "work", "log"):
            variable, _, rest = provider[f"{kind}Path"].partition("/")
            path = folder / names[variable] / rest
            path.mkdir(parents=True, exist_ok=True)
            self.environment[f"HF_PROVIDER_{kind.upper()}DIR"] = str(path)

    def read(self, name: str) -> dict[str, Any]:
        """Return one of HostFactory's own files."""
        found: dict[str, Any] = json.loads((self.folder / "conf" / name).read_text("utf-8"))
        return found

    def call(self, command: str, document: object) -> dict[str, Any]:
        """Call a script as HostFactory does; return the answer."""
        (self.folder / "hf_in_Q2kSeS").write_text(json.dumps(document), "utf-8")
        words = [self.scripts / f"{command}.sh", "-f", self.folder / "hf_in_Q2kSeS"]
        done = subprocess.run(words, env=self.environment, cwd="/", capture_output=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, b""), done.stdout
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(params=["/opt/hfstack", "/srv/host providers/hf stack"])
def prefix(request: pytest.FixtureRequest, system: System, package: Path) -> str:
    """Where the package is installed, in the system."""
    where = str(request.param)
    system.install("-i", package, *([] if where == "/opt/hfstack" else ["--prefix", where]))
    return where


@pytest.fixture
def host_factory(system: System, prefix: str, tmp_path: Path, sandbox: Sandbox) -> HostFactory:
    return point(system, prefix, tmp_path, sandbox)


def point(system: System, prefix: str, tmp_path: Path, sandbox: Sandbox) -> HostFactory:
    """Do what docs/hostfactory-setup.md says: copy the examples, put the site's own names into them."""
    examples = system.root / prefix.lstrip("/") / "share" / "examples"
    conf = tmp_path / "hostfactory" / "conf"
    shutil.copytree(examples / "symphony-7.3", conf)
    shutil.copytree(examples / "osinst", conf / "providers" / "osinst")
    plugins = conf / "hostProviderPlugins.json"
    plugins.write_text(plugins.read_text("utf-8").replace("/opt/hfstack", prefix), "utf-8")
    for path in (conf / "providers" / "osinst").glob("*.json"):
        text = path.read_text("utf-8")
        for theirs, ours in SITE.items():
            text = text.replace(f'"{theirs}"', f'"{ours}"')
        path.write_text(text, "utf-8")
    fill_in_credentials(conf / "providers" / "osinst" / "clouds.yaml", sandbox, tmp_path)
    return HostFactory(tmp_path / "hostfactory", system.root)


def fill_in_credentials(clouds: Path, sandbox: Sandbox, folder: Path) -> None:
    """Put the sandbox's address and credentials into the example."""
    sandbox.write_clouds_yaml(str(folder / "sandbox.yaml"))
    given = yaml.safe_load((folder / "sandbox.yaml").read_text("utf-8"))["clouds"]["appcred"]
    document = yaml.safe_load(clouds.read_text("utf-8"))
    assert set(document["clouds"]["openstack"]["auth"]) == set(given["auth"])
    document["clouds"]["openstack"]["auth"] = given["auth"]
    clouds.write_text(yaml.safe_dump(document), "utf-8")
    clouds.chmod(0o600)


def test_the_first_get_request_status_is_answered(host_factory: HostFactory) -> None:
    answer = host_factory.call("getRequestStatus", {"requests": [{"requestId": "req-nothing"}]})
    (request,) = answer["requests"]
    assert (request["requestId"], request["status"], request["machines"]) == ("req-nothing", "complete_with_error", [])


def test_a_machine_is_created_and_returned(host_factory: HostFactory) -> None:
    (template,) = host_factory.call("getAvailableTemplates", {})["templates"]
    asked = {"template": {"templateId": template["templateId"], "machineCount": 1}}
    made = host_factory.call("requestMachines", asked)["requestId"]
    (request,) = host_factory.call("getRequestStatus", {"requests": [{"requestId": made}]})["requests"]
    (machine,) = request["machines"]
    back = {"machines": [{"name": machine["name"], "machineId": machine["machineId"]}]}
    assert host_factory.call("requestReturnMachines", back)["requestId"].startswith("ret-")
    assert host_factory.call("getReturnRequests", {})["requests"] == []


def test_the_documented_way_from_the_bundle_to_the_first_answer(
    system: System, tmp_path: Path, sandbox: Sandbox
) -> None:
    if not release.BUNDLE.exists():
        pytest.skip("there is no bundle: make bundle")
    install, first, *_ = pages.blocks(pages.read("docs/install.md"), "sh")
    shutil.copy(release.BUNDLE, tmp_path)
    # the page's rpm installs into this system, which has no glibc
    rpm = f"rpm() {{ command rpm --root '{system.root}' --dbpath /var/lib/rpm --nodeps \"$@\"; }}\n"
    done = in_shell(rpm + install.text.replace("/opt/hfstack", f"{system.root}/opt/hfstack"), tmp_path)
    assert (done.returncode, "good" in done.stdout.splitlines()) == (0, True), done.stdout + done.stderr
    assert system.installed() == [release.PACKAGE.stem]

    host_factory = point(system, "/opt/hfstack", tmp_path, sandbox)
    environment = host_factory.environment
    call = re.sub(r"(HF_PROVIDER_\w+)=…", lambda found: f"{found[1]}='{environment[found[1]]}'", first.text)
    done = in_shell(call.replace("/opt/hfstack", f"{system.root}/opt/hfstack"), tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    (request,) = json.loads(done.stdout)["requests"]
    assert request["status"] == "complete_with_error"


def in_shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a page's commands in a folder."""
    return subprocess.run(["sh", "-eu", "-c", script], cwd=folder, capture_output=True, text=True)


def test_every_program_is_of_this_version(system: System, prefix: str) -> None:
    folder = system.root / prefix.lstrip("/")
    programs = [path for path in (folder / "bin").iterdir() if path.is_file()]
    assert len(programs) == 6
    for path in [*programs, *(folder / "scripts").iterdir()]:
        done = subprocess.run([path, "--version"], env={"PATH": os.defpath}, capture_output=True, text=True)
        assert (done.stdout, done.stderr) == (f"hfstack {__version__}\n", "")
