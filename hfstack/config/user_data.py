"""The user data of a new server: fills in placeholders and measures against Nova's limit."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Mapping

MAX_ENCODED = 65535
"""The most characters of base64 that Nova accepts (nova/api/openstack/compute/schemas/servers.py)."""

PLACEHOLDER = re.compile(r"\{\{(requestId|templateId|name|index)\}\}|%EXPORT_USER_DATA%")
"""Placeholders contain no blanks, so that Jinja's `{{ v1.local_hostname }}` stays unchanged. At the last one, IBM's
OpenStack plug-in for LSF inserts LSF's variables into its user_data.sh."""

LONGEST = {"requestId": "r" * 40, "name": "n" * 63, "index": "10000"}


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
