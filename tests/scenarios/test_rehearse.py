"""`hfstack rehearse` against a cloud: it creates and returns machines, or says why not, and leaves nothing behind."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.scenarios.clouds import Cloud
from tests.scenarios.site import Site, administrator


def rehearse(site: Site, *options: str) -> tuple[int, str]:
    """Rehearse with the site's own set-up; return the exit code and the output."""
    done = subprocess.run(
        [*administrator(site.program), "rehearse", "--timeout", "120", *options],
        env=site.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.stderr == ""
    site.check_no_secret(done.stdout)
    return done.returncode, done.stdout


def servers_of(cloud: Cloud, output: str) -> list[str]:
    """Return the servers of the one request of a rehearsal, which the scenario deletes, too."""
    (request_id,) = set(re.findall(r"\breq-[0-9a-f-]{36}\b", output))
    found = [one["id"] for one in cloud.call("GET", f"/servers?tags=hf:{request_id}")["servers"]]
    cloud.made += found
    return found


@pytest.mark.timeout(300)
def test_a_site_is_rehearsed(cloud: Cloud, site: Site) -> None:
    cloud.knobs(spawn_delay=1, destroy_delay=1)
    site.write_templates({}, {"templateId": "other"})
    code, output = rehearse(site, "--template", "other", "--machines", "3")
    assert code == 0, output
    assert "PASS: 3 machines created and returned;" in output
    assert "running, 3 executing" in output
    assert servers_of(cloud, output) == []


@pytest.mark.timeout(300)
def test_machines_that_fail_are_a_violation_and_leave_nothing_behind(cloud: Cloud, site: Site) -> None:
    site.write_templates({"flavor": "huge"})
    code, output = rehearse(site)
    assert code == 1, output
    assert "the machines were not created: complete_with_error, 2 of 2 machines failed" in output
    assert "No valid host was found" in output
    assert "Possibly leaked servers" not in output
    assert servers_of(cloud, output) == []


@pytest.mark.usefixtures("cloud")
def test_a_cloud_that_refuses_is_a_violation(site: Site) -> None:
    site.write_templates({"image": "gone"})
    code, output = rehearse(site)
    assert code == 1, output
    assert "requestMachines: found exit code 1, wanted 0: " in output
    assert "there is no image gone" in output
    assert not list((site.workdir / "requests").glob("r*")), "nothing was requested, so nothing is recorded"
