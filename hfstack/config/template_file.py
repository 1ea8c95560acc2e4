"""The template file: `<confdir>/<provider>prov_templates.json`, else `openstackprov_templates.json`, validated.

HostFactory's console rewrites the file, and templates carry keys of HostFactory's that hfstack only passes on. So a key
that hfstack does not know is kept, unless it looks like one of its own misspelt: that one is named, never passed on,
and no machine is made from the template.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from typing import NamedTuple

from pydantic import ValidationError

from hfstack.config import user_data
from hfstack.config.files import find_file, first_error, read_object
from hfstack.config.template import Template
from hfstack.environment import Environment
from hfstack.errors import ConfigError, describe

ALIASES = {
    **{key[0].upper() + key[1:]: key for key in (*Template.model_fields, "priority")},
    "Name": "templateId",
    "UserScript": "userDataFile",
}
"""How IBM's OpenStack plug-in for LSF spells them: Name, MaxNumber, Attributes, Priority, Image, Flavor, UserData and
UserScript (hostProviders/openstack in IBMSpectrumComputing/cloud-provider-plugins, conf/lsf/osprov_templates.json and
scripts/Main.py); the others in the same manner."""

NEAREST = {key.lower(): key for key in Template.model_fields}


class Entry(NamedTuple):
    """One valid template of the file."""

    template: Template
    other_keys: Mapping[str, object]
    """The keys that hfstack does not know, as they are."""
    misspelled_keys: tuple[str, ...]
    """Keys that are probably misspelt, each as a sentence that names the file."""


class TemplateFile(NamedTuple):
    """What the template file holds."""

    path: str
    entries: tuple[Entry, ...]
    invalid: Mapping[str, str]
    """Templates that cannot be used, by their id, else their place: a sentence that names the file."""


def load(environment: Environment) -> TemplateFile:
    """Read the template file. A broken template does not spoil the others. Raises `ConfigError`."""
    path = find_file(environment, "prov_templates.json")
    if path is None:
        raise ConfigError(f"there is no {environment.provider}prov_templates.json in {environment.confdir}")
    document = read_object(path)
    rows = document.get("templates", document.get("Templates"))
    if not isinstance(rows, list) or not rows:
        found = "missing" if rows is None else "empty" if rows == [] else describe(rows)
        raise ConfigError(f"{path}: templates is {found}, wanted a list of templates")
    entries: dict[str, Entry] = {}
    invalid: dict[str, str] = {}
    for number, row in enumerate(rows):
        place = f"templates[{number}]"
        label = row_id(row) or place
        if label in entries or label in invalid:
            invalid[place] = f"{path}: {place}: templateId is {label} again, wanted another for each template"
            continue
        try:
            where = f"{path}: {place if label == place else f'template {label}'}"
            entries[label] = read_entry(row, where, os.path.dirname(path))
        except ConfigError as error:
            invalid[label] = str(error)
    return TemplateFile(path, tuple(entries.values()), invalid)


def find(environment: Environment, template_id: str) -> Template:
    """Return the template that machines are asked of. Raises `ConfigError` if it is missing, broken or doubtful."""
    file = load(environment)
    for entry in file.entries:
        if entry.template.templateId == template_id:
            if entry.misspelled_keys:
                raise ConfigError(entry.misspelled_keys[0])
            return entry.template
    if template_id in file.invalid:
        raise ConfigError(file.invalid[template_id])
    raise ConfigError(f"{file.path}: there is no template {template_id}")


def row_id(row: object) -> str:
    """Return the id of a template that may be broken, "" if it has none that can be said."""
    found = (row.get("templateId") or row.get("TemplateId") or row.get("Name")) if isinstance(row, dict) else None
    return found if isinstance(found, str) and len(found) <= 64 else ""


def read_entry(row: object, where: str, folder: str) -> Entry:
    """Validate one template. Raises `ConfigError`."""
    if not isinstance(row, dict):
        raise ConfigError(f"{where}: found {describe(row)}, wanted an object")
    own, other_keys, misspelled_keys = sort_keys(row, where)
    try:
        template = Template.model_validate(own)
    except ValidationError as error:
        raise ConfigError(f"{where}: {first_error(error, own)}") from None
    contradiction = find_contradiction(template)
    if contradiction:
        raise ConfigError(f"{where}: {contradiction}")
    loaded: dict[str, object] = {"flavors": tuple(dict.fromkeys(filter(None, (template.flavor, *template.flavors))))}
    if template.userDataFile:
        loaded["userData"] = read_user_data(os.path.join(folder, template.userDataFile), f"{where}: userDataFile")
    template = template.model_copy(update=loaded)
    size = user_data.longest_encoded(template.userData or "", template.templateId)
    if size > user_data.MAX_ENCODED:
        raise ConfigError(
            f"{where}: userData has {size} characters in base64, wanted at most {user_data.MAX_ENCODED}: Nova's limit"
        )
    return Entry(template, other_keys, misspelled_keys)


def sort_keys(row: Mapping[str, object], where: str) -> tuple[dict[str, object], dict[str, object], tuple[str, ...]]:
    """Part our keys, in our spelling, from those passed on and those probably misspelt. Raises `ConfigError`.

    An own key that is null counts as not given.
    """
    own: dict[str, object] = {}
    other_keys: dict[str, object] = {}
    misspelled_keys: list[str] = []
    for key, value in row.items():
        known = ALIASES.get(key, key)
        near = difflib.get_close_matches(key.lower(), NEAREST, n=1, cutoff=0.8)
        if known in own:
            raise ConfigError(f"{where}: {known} is there twice, as {key} too, wanted it once")
        if known in Template.model_fields:
            if value is not None:
                own[known] = value
        elif near:
            misspelled_keys.append(f"{where}: found the key {key}, wanted {NEAREST[near[0]]}")
        else:
            other_keys[known] = value
    return own, other_keys, tuple(misspelled_keys)


def find_contradiction(template: Template) -> str:
    """Say what does not go together, "" if all does."""
    if not template.flavor and not template.flavors:
        return "flavor is missing"
    if template.userData is not None and template.userDataFile:
        return "userData and userDataFile are both there, wanted one of them"
    if template.serverGroup and "group" in template.schedulerHints:
        return "serverGroup and schedulerHints.group are both there, wanted one of them"
    if len(set(template.tags)) < len(template.tags):
        return "tags has a tag twice, wanted each once"
    return ""


def read_user_data(path: str, where: str) -> str:
    """Read a file of user data: UTF-8, a BOM is left out, as cloud-init goes by the first characters."""
    try:
        with open(path, "rb") as file:
            content = file.read(user_data.MAX_ENCODED + 1)
    except OSError as error:
        raise ConfigError(f"{where}: cannot read {path}: {error.strerror}") from None
    if len(content) > user_data.MAX_ENCODED:
        raise ConfigError(f"{where}: {path} has more than {user_data.MAX_ENCODED} bytes, Nova takes 49149")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where}: {path} is not UTF-8 (byte {error.start})") from None
