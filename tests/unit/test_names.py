"""What names stand for is known for a minute, to calls with the same login."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from hfstack.cloud.names import MAX_AGE, Names
from hfstack.surroundings import Surroundings

from .shapes import JSON

NOW = 1_700_000_000.0


def path(around: Surroundings) -> Path:
    (found,) = (Path(around.workdir) / "cache").glob("names-*.json")
    return found


@pytest.fixture
def kept(around: Surroundings) -> Names:
    """A name that an earlier call has looked up."""
    names = Names(around, "token", NOW)
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
def test_a_name_is_known_for_a_minute(around: Surroundings, token: str, age: float, found: str | None) -> None:
    names = Names(around, token, NOW + age)
    assert names.get("image", "rocky") == found
    assert names.get("flavor", "rocky") is None


@pytest.mark.usefixtures("kept")
def test_keeping_a_name_does_not_lengthen_its_minute(around: Surroundings) -> None:
    later = Names(around, "token", NOW + MAX_AGE - 1)
    later.put("flavor", "small", "f-1")
    later.keep()
    names = Names(around, "token", NOW + MAX_AGE)
    assert (names.get("image", "rocky"), names.get("flavor", "small")) == (None, "f-1")


def test_what_was_refused_is_looked_up_anew(around: Surroundings, kept: Names) -> None:
    kept.drop()
    assert Names(around, "token", NOW).get("image", "rocky") is None


@pytest.mark.usefixtures("kept")
def test_the_file_is_this_accounts_alone_and_holds_no_token(around: Surroundings) -> None:
    assert path(around).stat().st_mode & 0o777 == 0o600
    assert '"token"' not in path(around).read_text("utf-8")


@pytest.mark.parametrize("change", [lambda around: around._replace(workdir=""), lambda around: around])
def test_without_a_place_or_a_login_nothing_is_kept(
    around: Surroundings, change: Callable[[Surroundings], Surroundings]
) -> None:
    names = Names(change(around), "" if change(around) == around else "token", NOW)
    names.put("image", "rocky", "i-1")
    names.keep()
    assert names.get("image", "rocky") == "i-1"
    assert os.listdir(around.workdir) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=JSON)
def test_whatever_stands_there_is_no_error(around: Surroundings, kept: Names, found: object) -> None:
    kept.keep()
    document = json.loads(path(around).read_text("utf-8"))
    path(around).write_text(json.dumps({**document, "names": found}), "utf-8")
    Names(around, "token", NOW)
    path(around).write_text(json.dumps(found), "utf-8")
    assert Names(around, "token", NOW).get("image", "rocky") is None
