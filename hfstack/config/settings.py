"""The provider's configuration file, validated.

`<confdir>/<provider>prov_config.json`, else `<confdir>/openstackprov_config.json`. HostFactory's console rewrites these
files and adds keys of its own: unknown keys are named in the log, never fatal. The file may be missing; every key has a
default. It is read anew at each call.
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
    """Refuse a status in which a machine may be of use."""
    if status not in states.UNUSABLE:
        raise ValueError("one of " + ", ".join(sorted(map(str, states.UNUSABLE))))
    return status


class Settings(BaseModel):
    """What a site may say. Numbers may stand as strings, as HostFactory's console writes them."""

    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=False)

    cloud: str | None = Field(None, min_length=1)
    """The cloud's name in clouds.yaml; needed where the file has more than one."""
    cloudsFile: str | None = Field(None, min_length=1)  # noqa: N815 - HostFactory's files are in camelCase
    """Path of clouds.yaml; relative to the configuration folder."""
    privateNetworks: tuple[str, ...] = ()  # noqa: N815
    """Network names, in the order in which they are searched for a machine's private address."""
    requestTimeout: int = Field(1800, ge=1)  # noqa: N815
    """Seconds that a request for machines may take."""
    returnTimeout: int = Field(1800, ge=1)  # noqa: N815
    """Seconds that a return may take."""
    httpTimeout: float = Field(30, ge=0.1, le=3600)  # noqa: N815
    """Seconds that one HTTP request may take."""
    createConcurrency: int = Field(8, ge=1, le=64)  # noqa: N815
    """Machines that are asked for at a time."""
    reclaimedStates: tuple[Annotated[str, AfterValidator(unusable_status)], ...] = (  # noqa: N815
        *("DELETED", "SOFT_DELETED", "ERROR", "SHUTOFF", "SHELVED", "SHELVED_OFFLOADED"),
    )
    """Nova's statuses in which a machine counts as taken away by the cloud."""
    unpolledTimeout: int = Field(3600, ge=1)  # noqa: N815
    """Seconds after which HostFactory has never learned of a request that it has not asked for."""
    historyDays: int = Field(90, ge=1, le=36500)  # noqa: N815
    """Days that is kept what was recorded of a request, after the last of it."""
    actionTimeout: int | None = Field(None, ge=1, le=86400)  # noqa: N815
    """Seconds that one call may take, where HF_PROVIDER_ACTION_TIMEOUT does not say."""
    logLevel: str | None = None  # noqa: N815
    """LOG_DEBUG, LOG_INFO, LOG_WARNING or LOG_ERROR; else HF_LOGLEVEL."""

    @field_validator(
        *("requestTimeout", "returnTimeout", "actionTimeout", "createConcurrency", "httpTimeout"),
        *("unpolledTimeout", "historyDays"),
        mode="before",
    )
    @classmethod
    def no_boolean(cls, value: object, field: ValidationInfo) -> object:
        """Refuse `true`, which Python counts as 1: a deadline of one second would fail every machine."""
        if isinstance(value, bool):
            raise PydanticKnownError("float_type" if field.field_name == "httpTimeout" else "int_type")
        return value

    @field_validator("logLevel")
    @classmethod
    def known_level(cls, value: str | None) -> str | None:
        """Refuse a level that nobody knows."""
        if value is not None and level_number(value) is None:
            raise ValueError("LOG_DEBUG, LOG_INFO, LOG_WARNING or LOG_ERROR")
        return value


def load(environment: Environment, log: Log) -> Settings:
    """Load the provider's configuration. Raises `ConfigError` with one sentence for the first mistake."""
    if not environment.confdir:
        raise ConfigError(
            "none of HF_PROVIDER_CONFDIR, HF_CONFDIR and PRO_CONF_DIR is set: where is the configuration?"
        )
    if not os.path.isdir(environment.confdir):
        raise ConfigError(f"the configuration folder {environment.confdir} is not there")
    path = find_file(environment, "prov_config.json")
    if path:
        return parse(path, log)
    log.info(f"no {environment.provider}prov_config.json in {environment.confdir}: every setting has its default")
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
