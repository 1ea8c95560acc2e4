"""Every way to log in that keystoneauth has is inside the frozen program.

A missing plug-in goes unnoticed as long as one tries application credentials only.
"""

from __future__ import annotations

import json
import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.frozen.conftest import Run

POINTS = entry_points(group="keystoneauth1.plugin")
EXTRAS = sorted(point.name for point in POINTS if ".extras." in point.value)
PLUGINS = sorted(point.name for point in POINTS if point.name not in EXTRAS)


def test_there_are_21_plugins_and_some_that_need_packages_of_their_own() -> None:
    assert (len(PLUGINS), EXTRAS) == (21, ["v3adfspassword", "v3fedkerb", "v3kerberos", "v3oauth1", "v3samlpassword"])


def poll(run: Run, tmp_path: Path, frozen: Path, plugin: str) -> str:
    """Return the message of a poll that logs in with a plug-in, at a port where nobody listens."""
    cloud = {"auth_type": plugin, "auth": {"auth_url": "http://127.0.0.1:9/v3"}}
    (tmp_path / "conf" / "clouds.yaml").write_text(json.dumps({"clouds": {"only": cloud}}), encoding="utf-8")
    (tmp_path / "in").write_text('{"requests": {"requestId": "req-1"}}', encoding="utf-8")
    done = run(frozen / "getRequestStatus", "-f", tmp_path / "in")
    assert done.stderr == b""
    document = json.loads(done.stdout)
    return str(document.get("message") or document["requests"]["message"])


@pytest.mark.parametrize("plugin", PLUGINS)
def test_the_plugin_loads(run: Run, tmp_path: Path, frozen: Path, plugin: str) -> None:
    # it misses its options, or goes on to the network
    message = poll(run, tmp_path, frozen, plugin)
    assert re.search("login (of cloud only|at http\\S+) cannot be made|cannot reach http://127.0.0.1:9", message), (
        message
    )
    assert "could not be found" not in message


def test_a_plugin_that_does_not_exist_is_named(run: Run, tmp_path: Path, frozen: Path) -> None:
    message = poll(run, tmp_path, frozen, "v3nonsense")
    assert "v3nonsense could not be found" in message


@pytest.mark.parametrize("plugin", ["v3kerberos", "v3samlpassword"])
def test_a_plugin_that_needs_more_says_so(run: Run, tmp_path: Path, frozen: Path, plugin: str) -> None:
    assert "packages that hfstack does not include" in poll(run, tmp_path, frozen, plugin)
