"""The environment: HostFactory's variables take precedence over LSF's, and only an invalid timeout is an error."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from hfstack.environment import Environment, is_lsf, read_environment, time_budget
from hfstack.errors import ConfigError

OWN = {
    "HF_PROVIDER_NAME": "bank",
    "HF_PROVIDER_CONFDIR": "/own/conf",
    "HF_PROVIDER_WORKDIR": "/own/work",
    "HF_PROVIDER_LOGDIR": "/own/log",
}
COMMON = {"HF_CONFDIR": "/hf/conf", "HF_WORKDIR": "/hf/work", "HF_LOGDIR": "/hf/log"}
LSF = {"PROVIDER_NAME": "lsf", "PRO_CONF_DIR": "/lsf/conf", "PRO_DATA_DIR": "/lsf/data", "PRO_LSF_LOGDIR": "/lsf/log"}


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        pytest.param({}, ("openstack", "", "", ""), id="nothing"),
        pytest.param(OWN, ("bank", "/own/conf", "/own/work", "/own/log"), id="the-providers-own"),
        pytest.param(
            COMMON,
            ("openstack", "/hf/conf/providers/openstack", "/hf/work/providers/openstack", "/hf/log"),
            id="hostfactorys-defaults",
        ),
        pytest.param(
            COMMON | {"HF_PROVIDER_NAME": "bank"},
            ("bank", "/hf/conf/providers/bank", "/hf/work/providers/bank", "/hf/log"),
            id="hostfactorys-defaults-by-name",
        ),
        pytest.param(COMMON | OWN, ("bank", "/own/conf", "/own/work", "/own/log"), id="own-before-defaults"),
        pytest.param(LSF, ("lsf", "/lsf/conf", "/lsf/data", "/lsf/log"), id="lsf"),
        pytest.param(LSF | OWN, ("bank", "/own/conf", "/own/work", "/own/log"), id="hostfactory-before-lsf"),
        pytest.param(dict.fromkeys(OWN, "") | LSF, ("lsf", "/lsf/conf", "/lsf/data", "/lsf/log"), id="empty-is-unset"),
    ],
)
def test_folders_and_name(env: dict[str, str], expected: tuple[str, ...]) -> None:
    found = read_environment(env)
    assert (found.provider, found.confdir, found.workdir, found.logdir) == expected


def test_lsf_keeps_the_files_of_a_provider_in_conf(tmp_path: Path) -> None:
    assert read_environment({"PRO_CONF_DIR": str(tmp_path)}).confdir == str(tmp_path)
    (tmp_path / "conf").mkdir()
    assert read_environment({"PRO_CONF_DIR": str(tmp_path)}).confdir == str(tmp_path / "conf")


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        pytest.param({}, False, id="nothing"),
        pytest.param(LSF, True, id="lsf"),
        pytest.param({"PRO_LSF_TOP": "/lsf", "HF_HOME": "/models"}, True, id="another-hf"),
        pytest.param({"PRO_CONF_DIR": ""}, False, id="empty"),
        pytest.param(OWN, False, id="hostfactory"),
        pytest.param(LSF | COMMON, False, id="both"),
    ],
)
def test_lsf_is_recognized_by_its_variables(env: dict[str, str], expected: bool) -> None:
    assert is_lsf(env) is expected


def test_the_host_is_the_one_that_ego_names() -> None:
    assert read_environment({"EGOSC_INSTANCE_HOST": "master1"}).host == "master1"
    assert read_environment({}).host == socket.gethostname()


@pytest.mark.parametrize(
    ("size", "rotate", "expected"),
    [
        pytest.param("2", "7", (2, 7), id="given"),
        pytest.param("", "", (10, 5), id="empty"),
        pytest.param("0", "0", (10, 5), id="zero"),
        pytest.param("-1", "-1", (10, 5), id="negative"),
        pytest.param("ten", "1.5", (10, 5), id="no-whole-number"),
        pytest.param("²", "٣", (10, 5), id="other-digits"),
    ],
)
def test_an_invalid_log_setting_has_its_default(size: str, rotate: str, expected: tuple[int, int]) -> None:
    found = read_environment({"HF_LOG_MAX_FILE_SIZE": size, "HF_LOG_MAX_ROTATE": rotate})
    assert (found.log_max_bytes / 1024 / 1024, found.log_max_rotate) == expected


def timeout(value: str) -> Environment:
    return read_environment({"HF_PROVIDER_ACTION_TIMEOUT": value})


@pytest.mark.parametrize(
    ("value", "configured", "expected"),
    [
        pytest.param("", None, 240, id="default"),
        pytest.param("", 100, 80, id="configured"),
        pytest.param("600", 100, 480, id="environment-before-configuration"),
        pytest.param("1.5", None, 1.2, id="fraction"),
        pytest.param("1", None, 0.8, id="least"),
        pytest.param("86400", None, 69120, id="most"),
    ],
)
def test_a_call_uses_four_fifths_of_hostfactorys_timeout(value: str, configured: int | None, expected: float) -> None:
    assert time_budget(timeout(value), configured) == pytest.approx(expected)


@pytest.mark.parametrize("value", ["0", "-5", "soon", "nan", "inf", "86401", "5m"])
def test_an_invalid_timeout_is_refused_with_its_value(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        time_budget(timeout(value), None)
    assert str(caught.value) == f"HF_PROVIDER_ACTION_TIMEOUT is {value!r}, wanted a number of seconds from 1 to 86400"
