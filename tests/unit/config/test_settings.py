"""The provider's configuration file: its name, its keys, and the messages about errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hfstack.config import settings
from hfstack.config.settings import Settings
from hfstack.environment import Environment
from hfstack.errors import ConfigError
from hfstack.log import Log


@pytest.fixture
def write(environment: Environment) -> Callable[..., Path]:
    """Write a configuration file, given as a document or as bytes."""

    def write(document: object, name: str = "bankprov_config.json") -> Path:
        path = Path(environment.confdir) / name
        path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
        return path

    return write


def mistake(environment: Environment, log: Log) -> str:
    with pytest.raises(ConfigError) as caught:
        settings.load(environment, log)
    return str(caught.value)


# Which file


def test_the_file_is_named_after_the_provider(environment: Environment, log: Log, write: Callable[..., Path]) -> None:
    write({"cloud": "common"}, "openstackprov_config.json")
    assert settings.load(environment, log).cloud == "common"
    write({"cloud": "own"})
    assert settings.load(environment, log).cloud == "own"


def test_without_a_file_every_setting_has_its_default(
    environment: Environment, log: Log, logged: Callable[[], str]
) -> None:
    assert settings.load(environment, log) == Settings(
        cloud=None,
        cloudsFile=None,
        privateNetworks=(),
        requestTimeout=1800,
        returnTimeout=1800,
        httpTimeout=30,
        actionTimeout=None,
        createConcurrency=8,
        logLevel=None,
    )
    assert f"no bankprov_config.json in {environment.confdir}: using default settings" in logged()


def test_the_file_is_read_anew_at_each_call(environment: Environment, log: Log, write: Callable[..., Path]) -> None:
    write({"requestTimeout": 60})
    settings.load(environment, log)
    write({"requestTimeout": 90})
    assert settings.load(environment, log).requestTimeout == 90


def test_a_missing_configuration_folder_is_named(environment: Environment, log: Log) -> None:
    missing = environment._replace(confdir=environment.confdir + "/gone")
    assert mistake(missing, log) == f"the configuration folder {missing.confdir} does not exist"


def test_missing_variables_for_the_configuration_folder_are_named(environment: Environment, log: Log) -> None:
    assert mistake(environment._replace(confdir=""), log) == (
        "HF_PROVIDER_CONFDIR is not set, nor HF_CONFDIR or PRO_CONF_DIR: there is no configuration folder"
    )


# Settings


def test_every_setting_can_be_set(environment: Environment, log: Log, write: Callable[..., Path]) -> None:
    document = {
        "cloud": "bank",
        "cloudsFile": "clouds-prod.yaml",
        "userDataFolders": ["/srv/guests"],
        "privateNetworks": ["grid", "storage"],
        "requestTimeout": 900,
        "returnTimeout": 600,
        "httpTimeout": 2.5,
        "actionTimeout": 120,
        "createConcurrency": 4,
        "reclaimedStates": ["DELETED", "SHUTOFF"],
        "unpolledTimeout": 600,
        "unseenTimeout": 60,
        "historyDays": 30,
        "logLevel": "LOG_DEBUG",
    }
    write(document)
    found = settings.load(environment, log)
    assert json.loads(found.model_dump_json()) == document
    assert set(document) == set(Settings.model_fields)


def test_numbers_may_be_strings(environment: Environment, log: Log, write: Callable[..., Path]) -> None:
    write({"requestTimeout": "900", "httpTimeout": "2.5", "actionTimeout": "120"})
    found = settings.load(environment, log)
    assert (found.requestTimeout, found.httpTimeout, found.actionTimeout) == (900, 2.5, 120)


def test_a_byte_order_mark_does_not_matter(environment: Environment, log: Log, write: Callable[..., Path]) -> None:
    write(b'\xef\xbb\xbf{"cloud": "bank"}\r\n')
    assert settings.load(environment, log).cloud == "bank"


@pytest.mark.parametrize("level", ["LOG_INFO", "log_debug", "WARN", "LOG_CRIT"])
def test_levels_have_many_names(environment: Environment, log: Log, write: Callable[..., Path], level: str) -> None:
    write({"logLevel": level})
    assert settings.load(environment, log).logLevel == level


def test_the_log_names_unknown_keys_but_not_their_values(
    environment: Environment, log: Log, write: Callable[..., Path], logged: Callable[[], str]
) -> None:
    path = write({"cloud": "bank", "requestTimeOut": 5, "adminPassword": "hunter2", "nested": {"secret": "hunter3"}})
    assert settings.load(environment, log).requestTimeout == 1800
    for key in ("requestTimeOut", "adminPassword", "nested"):
        assert f"WARNING - {path}: unknown key {key}, ignored\n" in logged()
    assert "hunter" not in logged()
    assert "unknown key cloud," not in logged()


# Errors


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "empty, wanted a JSON object", id="empty"),
        pytest.param(b'{"cloud": "b\xe4nk"}', "not UTF-8 (byte 12 is 0xe4)", id="latin-1"),
        pytest.param(b'{"cloud": "bank",}', "not JSON: ", id="comma"),
        pytest.param(b"[]", "found a list, wanted an object", id="list"),
        pytest.param(b"null", "found null, wanted an object", id="null"),
    ],
)
def test_an_invalid_file_is_refused_with_its_name(
    environment: Environment, log: Log, write: Callable[..., Path], content: bytes, message: str
) -> None:
    path = write(content)
    assert mistake(environment, log).startswith(f"{path}: {message}")


def test_an_unreadable_file_is_named(environment: Environment, log: Log) -> None:
    path = Path(environment.confdir) / "bankprov_config.json"
    path.mkdir()
    assert mistake(environment, log) == f"cannot read {path}: found a folder, wanted a regular file"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        pytest.param(
            {"requestTimeout": "soon"}, 'requestTimeout is the string "soon", wanted a whole number', id="word"
        ),
        pytest.param({"requestTimeout": 1.5}, "requestTimeout is the number 1.5, wanted a whole number", id="fraction"),
        pytest.param({"requestTimeout": None}, "requestTimeout is null, wanted a whole number", id="null"),
        pytest.param({"requestTimeout": True}, "requestTimeout is true, wanted a whole number", id="true"),
        pytest.param({"requestTimeout": [60]}, "requestTimeout is a list, wanted a whole number", id="list"),
        pytest.param({"requestTimeout": 0}, "requestTimeout is the number 0, wanted at least 1", id="zero"),
        pytest.param({"returnTimeout": -1}, "returnTimeout is the number -1, wanted at least 1", id="negative"),
        pytest.param({"httpTimeout": 0}, "httpTimeout is the number 0, wanted at least 0.1", id="no-patience"),
        pytest.param({"httpTimeout": 3601}, "httpTimeout is the number 3601, wanted at most 3600", id="too-patient"),
        pytest.param({"httpTimeout": "x"}, 'httpTimeout is the string "x", wanted a number', id="http-word"),
        pytest.param({"httpTimeout": False}, "httpTimeout is false, wanted a number", id="http-false"),
        pytest.param({"httpTimeout": float("nan")}, "httpTimeout is the number nan, wanted at most 3600", id="nan"),
        pytest.param({"actionTimeout": 90000}, "actionTimeout is the number 90000, wanted at most 86400", id="a-day"),
        pytest.param({"cloud": 7}, "cloud is the number 7, wanted a string", id="cloud-number"),
        pytest.param({"cloud": ""}, 'cloud is the string "", wanted at least 1 character', id="cloud-empty"),
        pytest.param({"cloudsFile": {}}, "cloudsFile is an object, wanted a string", id="clouds-file-object"),
        pytest.param(
            {"privateNetworks": "grid"}, 'privateNetworks is the string "grid", wanted a list', id="networks-string"
        ),
        pytest.param(
            {"privateNetworks": ["grid", 7]}, "privateNetworks[1] is the number 7, wanted a string", id="network-number"
        ),
        pytest.param(
            {"logLevel": "LOUD"},
            'logLevel is the string "LOUD", wanted LOG_DEBUG, LOG_INFO, LOG_WARNING or LOG_ERROR',
            id="level",
        ),
        pytest.param(
            {"reclaimedStates": ["ERROR", "ACTIVE"]},
            'reclaimedStates[1] is the string "ACTIVE", wanted one of DELETED, ERROR, PAUSED, RESCUE, SHELVED, '
            "SHELVED_OFFLOADED, SHUTOFF, SOFT_DELETED, SUSPENDED",
            id="useful-state",
        ),
        pytest.param(
            {"reclaimedStates": "ERROR"}, 'reclaimedStates is the string "ERROR", wanted a list', id="states-string"
        ),
        pytest.param({"unpolledTimeout": True}, "unpolledTimeout is true, wanted a whole number", id="unpolled-true"),
        pytest.param({"unseenTimeout": True}, "unseenTimeout is true, wanted a whole number", id="unseen-true"),
        pytest.param({"unseenTimeout": 0}, "unseenTimeout is the number 0, wanted at least 1", id="unseen-zero"),
        pytest.param(
            {"userDataFolders": ["/srv", "guests"]},
            'userDataFolders[1] is the string "guests", wanted an absolute path',
            id="folder-relative",
        ),
        pytest.param(
            {"userDataFolders": "/srv"}, 'userDataFolders is the string "/srv", wanted a list', id="folders-string"
        ),
        pytest.param({"historyDays": 0}, "historyDays is the number 0, wanted at least 1", id="no-history"),
        pytest.param({"logLevel": 3}, "logLevel is the number 3, wanted a string", id="level-number"),
    ],
)
def test_an_error_names_field_found_and_wanted(
    environment: Environment, log: Log, write: Callable[..., Path], document: object, message: str
) -> None:
    path = write(document)
    assert mistake(environment, log) == f"{path}: {message}"
