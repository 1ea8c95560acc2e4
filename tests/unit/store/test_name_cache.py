"""The ids of names are kept for a minute, for calls with the same login."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from hfstack.environment import Environment
from hfstack.store.name_cache import MAX_AGE, Names
from tests.unit.shapes import JSON

NOW = 1_700_000_000.0


def path(environment: Environment) -> Path:
    (found,) = (Path(environment.workdir) / "cache").glob("names-*.json")
    return found


@pytest.fixture
def kept(environment: Environment) -> Names:
    """A name that an earlier call has looked up."""
    names = Names(environment, "token", NOW)
    names.put("image", "rocky", "i-1")
    names.keep()
    return names


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("token", "age", "found"),
    [
        pytest.param("token", 0, "i-1", id="at-once"),
        pytest.param("token", MAX_AGE - 1, "i-1", id="within-the-minute"),
        pytest.param("token", MAX_AGE, None, id="too-old"),
        pytest.param("token", -1, None, id="of-the-future"),
        pytest.param("other", 0, None, id="another-login"),
        pytest.param("", 0, None, id="no-cached-login"),
    ],
)
def test_a_name_is_known_for_a_minute(environment: Environment, token: str, age: float, found: str | None) -> None:
    names = Names(environment, token, NOW + age)
    assert names.get("image", "rocky") == found
    assert names.get("flavor", "rocky") is None


@pytest.mark.usefixtures("kept")
def test_keeping_a_name_does_not_lengthen_its_minute(environment: Environment) -> None:
    later = Names(environment, "token", NOW + MAX_AGE - 1)
    later.put("flavor", "small", "f-1")
    later.keep()
    names = Names(environment, "token", NOW + MAX_AGE)
    assert (names.get("image", "rocky"), names.get("flavor", "small")) == (None, "f-1")


def test_after_a_refusal_names_are_looked_up_again(environment: Environment, kept: Names) -> None:
    kept.drop()
    assert Names(environment, "token", NOW).get("image", "rocky") is None


@pytest.mark.usefixtures("kept")
def test_only_this_account_can_read_the_file_and_it_holds_no_token(environment: Environment) -> None:
    assert path(environment).stat().st_mode & 0o777 == 0o600
    assert '"token"' not in path(environment).read_text("utf-8")


@pytest.mark.parametrize(
    "change", [lambda environment: environment._replace(workdir=""), lambda environment: environment]
)
def test_without_a_work_directory_or_a_login_nothing_is_kept(
    environment: Environment, change: Callable[[Environment], Environment]
) -> None:
    names = Names(change(environment), "" if change(environment) == environment else "token", NOW)
    names.put("image", "rocky", "i-1")
    names.keep()
    assert names.get("image", "rocky") == "i-1"
    assert os.listdir(environment.workdir) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=JSON)
def test_any_content_of_the_file_is_no_error(environment: Environment, kept: Names, found: object) -> None:
    kept.keep()
    document = json.loads(path(environment).read_text("utf-8"))
    path(environment).write_text(json.dumps({**document, "names": found}), "utf-8")
    Names(environment, "token", NOW)
    path(environment).write_text(json.dumps(found), "utf-8")
    assert Names(environment, "token", NOW).get("image", "rocky") is None
