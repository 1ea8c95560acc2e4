"""RHEL 7's kernel (3.10) lacks system calls that newer libraries try first: here strace refuses them, as it would.

That shows that hfstack gets along without them. It is no 3.10 kernel: everything else is this machine's.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from hfstack.sandbox import Sandbox
from tests.certificate import certificate
from tests.scenarios.site import Site
from tests.scenarios.steps import ended, request

LATER = (
    "clone3,close_range,copy_file_range,epoll_pwait2,execveat,faccessat2,getrandom,membarrier,memfd_create,mlock2,openat2,"
    "pidfd_getfd,pidfd_open,pidfd_send_signal,preadv2,pwritev2,renameat2,rseq,statx"
)
"""System calls that came after Linux 3.10."""

UNAME = """
#define _GNU_SOURCE
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
int uname(struct utsname *names)
{
    int result = syscall(SYS_uname, names);
    strcpy(names->release, "3.10.0-1160.el7.x86_64");
    return result;
}
"""
"""OpenSSL does without getrandom only where the kernel's version says that it has none."""


class OldKernelSite(Site):
    """A site on whose host the commands find an old kernel. `refused` gets the system calls that were refused."""

    preload: Path
    refused: Path

    def command(self, name: str, path: Path) -> list[str]:
        strace = ["strace", "--follow-forks", "--quiet=all", "--output-append-mode", f"--output={self.refused}"]
        return [*strace, f"--trace={LATER}", f"--inject={LATER}:error=ENOSYS", *super().command(name, path)]

    def environment(self, **more: str) -> dict[str, str]:
        return super().environment(LD_PRELOAD=str(self.preload), **more)


@pytest.fixture(scope="module")
def preload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that names the old kernel."""
    for program in ("strace", "cc"):
        if not shutil.which(program):
            pytest.skip(f"there is no {program}")
    folder = tmp_path_factory.mktemp("uname")
    (folder / "uname.c").write_text(UNAME, encoding="utf-8")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "uname.so", folder / "uname.c"], check=True)
    return folder / "uname.so"


@pytest.fixture(params=["http", "https"])
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sandbox]:
    """A cloud, with and without TLS."""
    tls = certificate(tmp_path, dt.datetime.now(dt.UTC) + dt.timedelta(days=1)) if request.param == "https" else None
    with Sandbox(tls=tls) as running:
        yield running


def logins(sandbox: Sandbox) -> int:
    """Count the token requests."""
    with urllib.request.urlopen(f"{sandbox.control_url}/requests") as reply:
        return sum(one[:2] == ["keystone", "POST"] for one in json.load(reply))


@pytest.mark.usefixtures("frozen")
def test_a_whole_life(sandbox: Sandbox, preload: Path, tmp_path: Path) -> None:
    clouds = tmp_path / "clouds.yaml"
    sandbox.write_clouds_yaml(str(clouds))
    site = OldKernelSite(tmp_path / "site", "frozen", clouds)
    site.preload, site.refused = preload, tmp_path / "refused"
    site.write_templates({})
    request_id = request(site, 2)
    done = ended(site, request_id)
    assert done["status"] == "complete"
    machines = [{"name": one["name"], "machineId": one["machineId"]} for one in done["machines"]]
    returned = ended(site, site.ask("requestReturnMachines", {"machines": machines})["requestId"])
    assert [one["status"] for one in returned["machines"]] == ["terminated", "terminated"]
    assert logins(sandbox) == 1, "the token was kept, and taken again"
    assert "getrandom" in site.refused.read_text(encoding="utf-8"), "the kernel was an old one"
