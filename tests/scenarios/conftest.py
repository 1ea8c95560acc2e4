"""Which cloud, and which program: `--cloud sandbox|openstack`, `--program source|frozen|portable|windows|bat`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.scenarios import older, windows
from tests.scenarios.clouds import Cloud
from tests.scenarios.inside import Inside
from tests.scenarios.sandbox_cloud import SandboxCloud
from tests.scenarios.site import Site

SiteMaker = Callable[..., Site]


@pytest.fixture(scope="session")
def one_cloud(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The cloud of this run; it is started once."""
    if request.config.getoption("--cloud") == "openstack":
        from tests.scenarios.real_cloud import RealCloud

        cloud: Cloud = RealCloud(tmp_path_factory.mktemp("openstack"))
    else:
        cloud = SandboxCloud(tmp_path_factory.mktemp("sandbox"))
    # what a run that was broken off left behind
    while left := cloud.call("GET", "/servers")["servers"]:
        cloud.made = [server["id"] for server in left]
        cloud.clear()
    yield cloud
    cloud.close()


@pytest.fixture
def cloud(one_cloud: Cloud) -> Iterator[Cloud]:
    """The cloud, without the servers of earlier scenarios."""
    one_cloud.knobs()
    yield one_cloud
    one_cloud.clear()


@pytest.fixture
def new_site(tmp_path: Path, program: str, one_cloud: Cloud, request: pytest.FixtureRequest) -> SiteMaker:
    """Make a provider instance; settings are given by their names in the configuration file."""
    if program == "portable" and older.missing():
        pytest.skip(older.missing())
    if program in windows.KINDS:
        request.getfixturevalue("windows_ready")

    def make(**config: object) -> Site:
        return Site(tmp_path / f"site{len(list(tmp_path.iterdir()))}", program, one_cloud.clouds_yaml, **config)

    return make


@pytest.fixture
def site(new_site: SiteMaker) -> Site:
    """A provider instance with a short patience, as scenarios have little time."""
    return new_site(httpTimeout=10)


@pytest.fixture(scope="session")
def one_sandbox(one_cloud: Cloud) -> SandboxCloud:
    """The sandbox, for what no other cloud can do at will; skips the test elsewhere."""
    if not isinstance(one_cloud, SandboxCloud):
        pytest.skip("only the sandbox can be changed so")
    return one_cloud


@pytest.fixture
def sandbox(cloud: Cloud, one_sandbox: SandboxCloud) -> SandboxCloud:
    """The sandbox, without the servers of earlier scenarios."""
    assert cloud is one_sandbox
    return one_sandbox


@pytest.fixture(scope="session")
def new_inside(
    program: str, one_sandbox: SandboxCloud, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Inside]:
    """Make a provider instance of the sandbox whose commands run in the test's own process."""
    if program != "source":
        pytest.skip("the commands run inside the test, from the source tree")

    def make(**config: object) -> Inside:
        site = Inside(tmp_path_factory.mktemp("inside"), program, one_sandbox.clouds_yaml, **config)
        site.write_templates({})
        return site

    return make


@pytest.fixture
def inside(sandbox: SandboxCloud, new_inside: Callable[..., Inside]) -> Inside:
    """A provider instance of the sandbox whose commands run in the test's own process."""
    assert sandbox.made == []
    return new_inside(httpTimeout=10)
