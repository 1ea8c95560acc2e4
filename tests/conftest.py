"""Options that choose what the scenarios run against."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.scenarios import windows

# how long an example takes says nothing on a machine that is busy
settings.register_profile("hfstack", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hfstack")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --cloud and --program."""
    parser.addoption("--cloud", choices=("sandbox", "openstack"), default="sandbox")
    programs = ("source", "frozen", "portable", "windows", "bat")
    parser.addoption("--program", action="append", choices=programs, default=None)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes `program` once for each program that was asked for."""
    if "program" in metafunc.fixturenames:
        programs = metafunc.config.getoption("--program") or ["source"]
        metafunc.parametrize("program", programs, scope="session")


@pytest.fixture(scope="session")
def windows_ready() -> Iterator[None]:
    """What is frozen for Windows, and what runs it; under Wine, calls start and end sooner with it."""
    if windows.missing():
        pytest.skip(windows.missing())
    with windows.awake():
        yield
