"""The user data of a new server: reads its file, fills in placeholders and measures against Nova's limit."""

from __future__ import annotations

import base64
import errno
import os
import re
import shlex
from collections.abc import Mapping

from hfstack import _files
from hfstack._typing import TYPE_CHECKING
from hfstack.errors import ConfigError

if TYPE_CHECKING:
    from hfstack.config.settings import Settings

MAX_ENCODED = 65535
"""The most characters of base64 that Nova accepts (nova/api/openstack/compute/schemas/servers.py)."""

PLACEHOLDER = re.compile(r"\{\{(requestId|templateId|name|index)\}\}|%EXPORT_USER_DATA%")
"""Placeholders contain no blanks, so that Jinja's `{{ v1.local_hostname }}` stays unchanged. At the last one, IBM's
OpenStack plug-in for LSF inserts LSF's variables into its user_data.sh."""

CREDENTIALS = {f"{name}.{ending}" for name in ("clouds", "secure") for ending in ("yaml", "yml", "json")}
"""The names under which openstacksdk looks for credentials."""

LONGEST = {"requestId": "r" * 40, "name": "n" * 63, "index": "10000"}


def read(file: str, where: str, confdir: str, settings: Settings) -> str:
    """Return the content of a template's `userDataFile`, without a BOM: cloud-init looks at the first characters.

    Every guest can read its user data, so the file must be one that the site keeps for that purpose, wherever links
    lead. Raises `ConfigError`; the message begins with `where`.
    """
    path = os.path.join(confdir, file)
    real = os.path.realpath(path)
    if not any(is_below(real, folder) for folder in (confdir, *settings.userDataFolders)):
        raise ConfigError(
            f"{where} {file} leads to {real}, wanted a file below {confdir} or below a folder in userDataFolders"
        )
    if holds_credentials(real, confdir, settings.cloudsFile):
        raise ConfigError(f"{where} {file} leads to {real}, wanted no file of credentials: guests can read user data")
    try:
        content = _files.read(real, MAX_ENCODED)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise ConfigError(f"{where}: {path} has more than {MAX_ENCODED} bytes, Nova accepts 49149") from None
        raise ConfigError(f"{where}: cannot read {path}: {error.strerror}") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where}: {path} is not UTF-8 (byte {error.start})") from None


def is_below(real: str, folder: str) -> bool:
    """Tell whether a path without links is below a folder."""
    return os.path.normcase(real).startswith(os.path.normcase(os.path.join(os.path.realpath(folder), "")))


def holds_credentials(real: str, confdir: str, clouds_file: str | None) -> bool:
    """Tell whether a path leads to a clouds.yaml or secure.yaml, or is another name of the provider's own."""
    if os.path.basename(real).lower() in CREDENTIALS:
        return True
    own = [
        os.path.join(confdir, "clouds.yaml"),
        os.path.join(confdir, os.path.expanduser(clouds_file or "clouds.yaml")),
    ]
    own += [os.path.join(os.path.dirname(path), "secure.yaml") for path in own]
    return any(os.path.exists(real) and os.path.exists(path) and os.path.samefile(real, path) for path in own)


def fill(text: str, values: Mapping[str, str], variables: Mapping[str, str]) -> str:
    """Replace the placeholders by a machine's values and by LSF's variables.

    Leaves everything else in double braces unchanged.
    """
    return PLACEHOLDER.sub(lambda match: values[match[1]] if match[1] else exports(variables), text)


def exports(variables: Mapping[str, str]) -> str:
    """Return one line of shell that exports LSF's variables under the names that IBM's plug-in uses."""
    words = [
        f"{key if key == 'rc_account' else re.sub(r'[^A-Z0-9_]', '_', key.upper())}={shlex.quote(value)}"
        for key, value in variables.items()
    ]
    return f"export {' '.join(words)}" if words else ""


def longest_encoded(text: str, template_id: str) -> int:
    """Return the length in base64 with the longest values that a request can fill in."""
    return len(encode(fill(text, {**LONGEST, "templateId": template_id}, {})))


def encode(text: str) -> str:
    """Encode user data for Nova's API."""
    return base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")
