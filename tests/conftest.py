"""Options that select what the scenarios run against, and shared fixtures: an environment and its log."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from hfstack.environment import Environment, read_environment
from hfstack.log import Log
from tests.premises import Premises, sentence_of
from tests.provider import provider_variables
from tests.scenarios import windows

# hfstack does not trust what others may write
os.umask(0o022)

# the duration of an example means nothing on a busy machine
settings.register_profile("hfstack", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hfstack")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --cloud, --program and --premises."""
    parser.addoption("--cloud", choices=("sandbox", "openstack"), default="sandbox")
    programs = ("source", "frozen", "portable", "windows", "bat")
    parser.addoption("--program", action="append", choices=programs, default=None)
    parser.addoption("--premises", choices=("check", "write"), default=None)


def pytest_configure(config: pytest.Config) -> None:
    """Count what docs/reliability.md says; of several processes, the first one is told of every test."""
    how = config.getoption("--premises")
    if how and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Premises(write=how == "write"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have each test report the premise that it is about."""
    for item in items:
        if sentence := sentence_of(item):
            item.user_properties.append(("premise", sentence))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes `program` once for each selected program."""
    if "program" in metafunc.fixturenames:
        programs = metafunc.config.getoption("--program") or ["source"]
        metafunc.parametrize("program", programs, scope="session")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Undo what a call changes in Python's logging."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    logging.captureWarnings(capture=False)


@pytest.fixture(scope="session")
def windows_ready() -> Iterator[None]:
    """What is frozen for Windows, and what runs it; under Wine, calls start and end sooner with it."""
    if windows.missing():
        pytest.skip(windows.missing())
    with windows.awake():
        yield


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """The environment of a provider `bank`, whose folders exist."""
    return read_environment(provider_variables(tmp_path))


@pytest.fixture
def log(environment: Environment) -> Log:
    return Log(environment, "getRequestStatus")


@pytest.fixture
def logged(log: Log) -> Callable[[], str]:
    """Return the content of the log so far."""

    def read() -> str:
        path = Path(log.path)
        return path.read_text("utf-8") if path.exists() else ""

    return read
