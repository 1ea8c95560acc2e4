"""Finds and reads the site's files, and describes an error in one sentence.

HostFactory's console rewrites these files, so hfstack reads them anew at each call, as UTF-8 with or without BOM.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from hfstack import errors, inputs
from hfstack.environment import Environment
from hfstack.errors import ConfigError, InputError

WANTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a string",
    "string_too_short": "at least {min_length} character",
    "string_too_long": "at most {max_length} characters",
    "tuple_type": "a list",
    "too_short": "at least {min_length} entry",
    "too_long": "at most {max_length} entries",
    "dict_type": "an object",
    "model_type": "an object",
}
"""What pydantic's types of error mean to an administrator: the value that was wanted."""


def find_file(environment: Environment, ending: str) -> str | None:
    """Return the path of the provider's own file, else of the common file; `None` if neither exists."""
    return next((path for path in candidate_paths(environment, ending) if os.path.exists(path)), None)


def candidate_paths(environment: Environment, ending: str) -> list[str]:
    """Return the paths where such a file may be, the provider's own first."""
    providers = dict.fromkeys((environment.provider, "openstack"))
    return [os.path.join(environment.confdir, f"{provider}{ending}") for provider in providers]


def read_object(path: str) -> dict[str, Any]:
    """Read a file that contains one JSON object. Raises `ConfigError`."""
    try:
        document = inputs.read_document(path)
    except InputError as error:
        raise ConfigError(str(error)) from None
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: found {errors.describe(document)}, wanted an object")
    return document


def first_error(error: ValidationError, document: Mapping[str, object]) -> str:
    """Describe the first error: the field, the value found and the value wanted."""
    first = error.errors(include_url=False)[0]
    if first["type"] == "value_error":
        wanted = first["msg"].removeprefix("Value error, ")
    else:
        wanted = WANTED.get(first["type"], first["msg"]).format_map(first.get("ctx", {}))
    field = ""
    found: Any = document
    for part in first["loc"]:
        field += f"[{part}]" if isinstance(part, int) else f".{part}" if field else str(part)
        if isinstance(found, dict) and part not in found:
            return f"{field} is missing"
        found = found[part]
    return f"{field} is {errors.describe(found)}, wanted {wanted}"
