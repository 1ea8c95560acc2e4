"""The provider's configuration file, validated.

The file is `<confdir>/<provider>prov_config.json`, else `<confdir>/openstackprov_config.json`. HostFactory's console
rewrites it and adds keys of its own, so hfstack logs unknown keys and ignores them. The file may be missing, because
every key has a default.
"""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticKnownError

from hfstack import states
from hfstack.config.files import find_file, first_error, read_object
from hfstack.environment import Environment
from hfstack.errors import ConfigError
from hfstack.log import Log, level_number


def unusable_status(status: str) -> str:
    """Refuse a status in which a machine may be usable."""
    if status not in states.UNUSABLE:
        raise ValueError("one of " + ", ".join(sorted(map(str, states.UNUSABLE))))
    return status


def absolute_path(path: str) -> str:
    """Refuse a path that depends on the working directory."""
    if not os.path.isabs(path):
        raise ValueError("an absolute path")
    return path


class Settings(BaseModel):
    """The settings of a site. Numbers may be strings, because HostFactory's console writes them so."""

    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=False)

    cloud: str | None = Field(None, min_length=1)
    """The cloud's name in clouds.yaml. Required if the file has more than one cloud."""
    cloudsFile: str | None = Field(None, min_length=1)  # noqa: N815 - HostFactory's files are in camelCase
    """The path of clouds.yaml, relative to the configuration folder."""
    userDataFolders: tuple[Annotated[str, AfterValidator(absolute_path)], ...] = ()  # noqa: N815
    """Folders in which a template's `userDataFile` may be, in addition to the configuration folder."""
    privateNetworks: tuple[str, ...] = ()  # noqa: N815
    """Names of networks, in the order in which hfstack looks for a machine's private address."""
    requestTimeout: int = Field(1800, ge=1)  # noqa: N815
    """How long to wait for requested machines before they are reported as failed (seconds)."""
    returnTimeout: int = Field(1800, ge=1)  # noqa: N815
    """How long to wait for returned machines to be deleted before they are reported as failed (seconds)."""
    httpTimeout: float = Field(30, ge=0.1, le=3600)  # noqa: N815
    """How long one HTTP request may take (seconds)."""
    createConcurrency: int = Field(8, ge=1, le=64)  # noqa: N815
    """How many machines are created at the same time."""
    reclaimedStates: tuple[Annotated[str, AfterValidator(unusable_status)], ...] = (  # noqa: N815
        *("DELETED", "SOFT_DELETED", "ERROR", "SHUTOFF", "SHELVED", "SHELVED_OFFLOADED"),
    )
    """Nova's statuses in which the cloud has taken a machine away."""
    unpolledTimeout: int = Field(3600, ge=1)  # noqa: N815
    """How long HostFactory may take to poll a request for the first time before its machines are deleted (seconds)."""
    unseenTimeout: int = Field(120, ge=1)  # noqa: N815
    """How long to look for a server after a POST without a clear answer before its machine has failed (seconds)."""
    historyDays: int = Field(90, ge=1, le=36500)  # noqa: N815
    """How long the records of a request are kept after the last of them (days)."""
    actionTimeout: int | None = Field(None, ge=1, le=86400)  # noqa: N815
    """How long HostFactory waits for a call, if HF_PROVIDER_ACTION_TIMEOUT is not set (seconds)."""
    logLevel: str | None = None  # noqa: N815
    """LOG_DEBUG, LOG_INFO, LOG_WARNING or LOG_ERROR; the default is HF_LOGLEVEL."""

    @field_validator(
        *("requestTimeout", "returnTimeout", "actionTimeout", "createConcurrency", "httpTimeout"),
        *("unpolledTimeout", "unseenTimeout", "historyDays"),
        mode="before",
    )
    @classmethod
    def no_boolean(cls, value: object, field: ValidationInfo) -> object:
        """Refuse `true`, which Python treats as 1: a timeout of one second would fail every machine."""
        if isinstance(value, bool):
            raise PydanticKnownError("float_type" if field.field_name == "httpTimeout" else "int_type")
        return value

    @field_validator("logLevel")
    @classmethod
    def known_level(cls, value: str | None) -> str | None:
        """Refuse an unknown level."""
        if value is not None and level_number(value) is None:
            raise ValueError("LOG_DEBUG, LOG_INFO, LOG_WARNING or LOG_ERROR")
        return value


def load(environment: Environment, log: Log) -> Settings:
    """Load the provider's configuration. Raises `ConfigError` with one sentence about the first error."""
    if not environment.confdir:
        raise ConfigError(
            "HF_PROVIDER_CONFDIR is not set, nor HF_CONFDIR or PRO_CONF_DIR: there is no configuration folder"
        )
    if not os.path.isdir(environment.confdir):
        raise ConfigError(f"the configuration folder {environment.confdir} does not exist")
    path = find_file(environment, "prov_config.json")
    if path:
        return parse(path, log)
    log.info(f"no {environment.provider}prov_config.json in {environment.confdir}: using default settings")
    return Settings()


def parse(path: str, log: Log) -> Settings:
    """Read and validate one file. Raises `ConfigError`."""
    document = read_object(path)
    for key in document:
        if key not in Settings.model_fields:
            log.warning(f"{path}: unknown key {key}, ignored")
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        raise ConfigError(f"{path}: {first_error(error, document)}") from None
