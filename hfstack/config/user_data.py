"""The user data of a new server: placeholders filled in, within Nova's limit. Pure."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Mapping

MAX_ENCODED = 65535
"""Characters of base64 that Nova takes (nova/api/openstack/compute/schemas/servers.py)."""

PLACEHOLDER = re.compile(r"\{\{(requestId|templateId|name|index)\}\}|%EXPORT_USER_DATA%")
"""Without blanks inside, so that Jinja's `{{ v1.local_hostname }}` stays what it is. The last is where IBM's OpenStack
plug-in for LSF puts LSF's variables into its user_data.sh."""

LONGEST = {"requestId": "r" * 40, "name": "n" * 63, "index": "10000"}


def fill(text: str, values: Mapping[str, str], variables: Mapping[str, str]) -> str:
    """Put a machine's values into the placeholders, and LSF's variables where they are wanted.

    Whatever else stands in double braces stays.
    """
    return PLACEHOLDER.sub(lambda match: values[match[1]] if match[1] else exports(variables), text)


def exports(variables: Mapping[str, str]) -> str:
    """Return one line of shell that exports LSF's variables, named as IBM's plug-in names them."""
    words = [
        f"{key if key == 'rc_account' else re.sub(r'[^A-Z0-9_]', '_', key.upper())}={shlex.quote(value)}"
        for key, value in variables.items()
    ]
    return f"export {' '.join(words)}" if words else ""


def longest_encoded(text: str, template_id: str) -> int:
    """Return the characters of base64 with the placeholders filled in the longest way that a request can have."""
    return len(encode(fill(text, {**LONGEST, "templateId": template_id}, {})))


def encode(text: str) -> str:
    """Return it as Nova wants it."""
    return base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")
