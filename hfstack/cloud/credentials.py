"""Reads the site's credentials and prepares the login. All use of openstacksdk's configuration is here.

Credentials come from the places that OpenStack users know: clouds.yaml with secure.yaml beside it, or OS_* variables,
for any login that keystoneauth supports. If the provider has its own clouds.yaml, OS_* variables are ignored.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import yaml
from keystoneauth1 import exceptions as ksa
from openstack import exceptions as sdk
from openstack.config import OpenStackConfig, loader
from openstack.config.cloud_region import CloudRegion

from hfstack import __version__, _files, errors
from hfstack.cloud.sdk import Access, capture_library_logs
from hfstack.config.files import candidate_paths
from hfstack.config.settings import Settings
from hfstack.context import Budget
from hfstack.environment import Environment
from hfstack.errors import ConfigError
from hfstack.log import Log


def open_access(
    settings: Settings, confdir: str, env: Mapping[str, str], budget: Budget | None = None, log: Log | None = None
) -> Access:
    """Find the site's credentials and prepare the login. Nothing is sent yet. Raises `ConfigError`.

    Without a budget, only `httpTimeout` limits the requests. The libraries' warnings go to the log.
    """
    if log:
        capture_library_logs(log)
    own_file = find_own_file(settings, confdir)
    where = own_file or "clouds.yaml or OS_* variables"
    try:
        config = read_config(own_file)
        name = choose_cloud(config, settings.cloud or (None if own_file else env.get("OS_CLOUD")), own_file)
    except sdk.ConfigException as error:
        raise ConfigError(f"{where}: {error}") from None
    except (TypeError, AttributeError, KeyError, ValueError):
        raise ConfigError(f"{where} has an unexpected shape, wanted clouds: NAME: auth: …") from None
    return Access(prepare_login(config, name, settings, where), budget or Budget(float("inf")), where)


def files_of(environment: Environment, settings: Settings, env: Mapping[str, str]) -> list[str]:
    """Return the files that say what to do and how to log in, and those that would say it if they existed.

    A file that is searched in the working directory has a relative path.
    """
    own_file = find_own_file(settings, environment.confdir)
    own = (os.path.join(environment.confdir, "clouds.yaml"), own_file or "")
    secure = (os.path.join(os.path.dirname(path), "secure.yaml") for path in own if path)
    if own_file:
        searched = vendor_files_elsewhere()
    else:
        usual = (*loader.CONFIG_FILES, *loader.SECURE_FILES, *loader.VENDOR_FILES)
        here = loader.CONFIG_SEARCH_PATH[0]
        searched = [env.get(f"OS_CLIENT_{kind}_FILE", "") for kind in ("CONFIG", "SECURE", "VENDOR")]
        searched += [os.path.basename(path) if os.path.dirname(path) == here else path for path in usual]
    settings_files = candidate_paths(environment, "prov_config.json")
    return [path for path in dict.fromkeys((*settings_files, *own, *secure, *searched)) if path]


def vendor_files_elsewhere() -> list[str]:
    """Return where openstacksdk looks for vendor profiles after the working directory, which it searches first."""
    return [path for path in loader.VENDOR_FILES if os.path.dirname(path) in loader.CONFIG_SEARCH_PATH[1:]]


def prepare_login(config: OpenStackConfig, name: str, settings: Settings, where: str) -> CloudRegion:
    """Prepare the login that clouds.yaml describes. Raises `ConfigError`."""
    try:
        return config.get_one(cloud=name, api_timeout=settings.httpTimeout)
    except (sdk.ConfigException, ksa.ClientException, TypeError, ValueError) as error:
        # plug-ins report missing or surplus options with whatever Python raises
        raise ConfigError(f"{where}: the login of cloud {name} cannot be made: {errors.one_line(str(error))}") from None
    except (ImportError, AttributeError):
        # Kerberos, SAML and OAuth1 need their own packages, and keystoneauth reports missing ones in several ways
        raise ConfigError(
            f"{where}: the login of cloud {name} needs Python packages that hfstack does not include"
        ) from None


def find_own_file(settings: Settings, confdir: str) -> str | None:
    """Return the provider's clouds.yaml: `cloudsFile`, else the one in the configuration folder, else `None`."""
    if settings.cloudsFile:
        path = os.path.join(confdir, os.path.expanduser(settings.cloudsFile))
        if not os.path.isfile(path):
            raise ConfigError(f"cloudsFile is {path}, which does not exist")
        return path
    path = os.path.join(confdir, "clouds.yaml")
    return path if os.path.exists(path) else None


def read_config(own_file: str | None) -> OpenStackConfig:
    """Read only the provider's own file, else what openstacksdk finds in its usual places and in OS_* variables.

    With a file of its own a provider has the same cloud in every working directory.
    """
    names: dict[str, Any] = {"app_name": "hfstack", "app_version": __version__}
    if own_file is None:
        for paths in (loader.CONFIG_FILES, loader.SECURE_FILES):
            for path in [path for path in paths if os.path.exists(path)][:1]:
                check_yaml(path)
        return OpenStackConfig(**names)
    secure = os.path.join(os.path.dirname(own_file), "secure.yaml")
    check_yaml(own_file)
    if os.path.exists(secure):
        check_yaml(secure)
    vendor = vendor_files_elsewhere()
    return OpenStackConfig(
        config_files=[own_file], secure_files=[secure], vendor_files=vendor, load_envvars=False, **names
    )


def check_yaml(path: str) -> None:
    """Refuse a file that is unreadable or not YAML: the SDK would skip it silently. Raises `ConfigError`."""
    try:
        yaml.safe_load(_files.read(path).decode("utf-8"))
    except yaml.MarkedYAMLError as error:
        # never the text of the line, nor what the parser quotes of it: it may be the password
        mark = error.problem_mark
        place = f" at line {mark.line + 1} column {mark.column + 1}" if mark else ""
        problem = re.sub(r"'.*'", "…", error.problem or "something is wrong")
        raise ConfigError(f"{path} is not YAML: {problem}{place}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ConfigError(f"{path} cannot be read: it holds characters that YAML does not allow") from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None


def choose_cloud(config: OpenStackConfig, wanted: str | None, own_file: str | None) -> str:
    """Return the name of the cloud to use. Raises `ConfigError`."""
    clouds: dict[str, Any] = config.cloud_config["clouds"]
    where = own_file or config.config_filename or "clouds.yaml"
    name = wanted or config.default_cloud
    if own_file is None and config.config_filename is None and config.default_cloud == "defaults":
        raise ConfigError("no credentials: found neither a clouds.yaml nor OS_* variables")
    if list(clouds) == ["defaults"] and config.default_cloud == "defaults":
        raise ConfigError(f"{where} holds no clouds, wanted clouds: NAME: auth: …")
    if not name:
        raise ConfigError(f"{where} has the clouds {', '.join(sorted(clouds))}: choose one in the setting cloud")
    if name not in clouds:
        raise ConfigError(f"{where} has no cloud {name}, only {', '.join(sorted(clouds)) or 'none at all'}")
    check_cloud(clouds[name], name, where)
    return name


def check_cloud(cloud: dict[str, Any], name: str, where: str) -> None:
    """Refuse what would mislead the SDK. Raises `ConfigError`, and `TypeError` for another shape."""
    auth_url = (cloud.get("auth") or {}).get("auth_url")
    if auth_url is not None and not str(auth_url).lower().startswith(("http://", "https://")):
        raise ConfigError(f"{where}: auth_url of cloud {name} is not a URL, wanted http://… or https://…")
    verify = cloud.get("verify", True)
    if not isinstance(verify, bool) and not (isinstance(verify, str) and os.path.isfile(verify)):
        # the SDK would treat an empty value as false
        raise ConfigError(f"{where}: verify of cloud {name} is {errors.describe(verify)}, wanted true or false")
    profile = cloud.get("profile") or cloud.get("cloud")
    if isinstance(profile, str) and "://" in profile:
        raise ConfigError(f"{where}: cloud {name} takes its profile from {profile}: hfstack downloads no configuration")
