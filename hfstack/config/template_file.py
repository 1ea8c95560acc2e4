"""The template file, validated: `<confdir>/<provider>prov_templates.json`, else `openstackprov_templates.json`.

HostFactory's console rewrites the file, and HostFactory adds keys of its own to templates. hfstack passes on a key that
it does not know, unless the key looks like a misspelled key of hfstack's. It reports such a key, does not pass it on,
and creates no machine from the template.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import NamedTuple

from pydantic import ValidationError

from hfstack.config import user_data
from hfstack.config.files import find_file, first_error, read_object
from hfstack.config.settings import Settings
from hfstack.config.template import Template
from hfstack.environment import Environment
from hfstack.errors import ConfigError, describe

ALIASES = {
    **{key[0].upper() + key[1:]: key for key in (*Template.model_fields, "priority")},
    "Name": "templateId",
    "UserScript": "userDataFile",
}
"""The spelling of IBM's OpenStack plug-in for LSF: Name, MaxNumber, Attributes, Priority, Image, Flavor, UserData and
UserScript (hostProviders/openstack in IBMSpectrumComputing/cloud-provider-plugins, the template file in conf/lsf and
scripts/Main.py). The other keys may be capitalized in the same way."""

NEAREST = {key.lower(): key for key in Template.model_fields}


class Entry(NamedTuple):
    """One valid template of the file."""

    template: Template
    other_keys: Mapping[str, object]
    """The keys that hfstack does not know and passes on unchanged."""
    misspelled_keys: tuple[str, ...]
    """One sentence for each key that is probably misspelled; it names the file."""


class TemplateFile(NamedTuple):
    """The content of the template file."""

    path: str
    entries: tuple[Entry, ...]
    invalid: Mapping[str, str]
    """One sentence for each invalid template, by its id or else its position; it names the file."""


def load(environment: Environment, settings: Settings) -> TemplateFile:
    """Read the template file. An invalid template does not affect the others. Raises `ConfigError`."""
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
            invalid[place] = f"{path}: {place}: templateId is {label} again, wanted a unique one"
            continue
        try:
            where = f"{path}: {place if label == place else f'template {label}'}"
            entries[label] = read_entry(row, where, environment.confdir, settings)
        except ConfigError as error:
            invalid[label] = str(error)
    return TemplateFile(path, tuple(entries.values()), invalid)


def find(environment: Environment, settings: Settings, template_id: str) -> Template:
    """Return the template of a request. Raises `ConfigError` if it is missing, is invalid or has a misspelled key."""
    file = load(environment, settings)
    for entry in file.entries:
        if entry.template.templateId == template_id:
            if entry.misspelled_keys:
                raise ConfigError(entry.misspelled_keys[0])
            return entry.template
    if template_id in file.invalid:
        raise ConfigError(file.invalid[template_id])
    raise ConfigError(f"{file.path}: there is no template {template_id}")


def row_id(row: object) -> str:
    """Return the id of a template that may be invalid, "" if it has no usable id."""
    found = (row.get("templateId") or row.get("TemplateId") or row.get("Name")) if isinstance(row, dict) else None
    return found if isinstance(found, str) and len(found) <= 64 else ""


def read_entry(row: object, where: str, confdir: str, settings: Settings) -> Entry:
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
        loaded["userData"] = user_data.read(template.userDataFile, f"{where}: userDataFile", confdir, settings)
    template = template.model_copy(update=loaded)
    size = user_data.longest_encoded(template.userData or "", template.templateId)
    if size > user_data.MAX_ENCODED:
        raise ConfigError(
            f"{where}: userData has {size} characters in base64, wanted at most {user_data.MAX_ENCODED}: Nova's limit"
        )
    return Entry(template, other_keys, misspelled_keys)


def sort_keys(row: Mapping[str, object], where: str) -> tuple[dict[str, object], dict[str, object], tuple[str, ...]]:
    """Return hfstack's keys in hfstack's spelling, the keys to pass on, and a sentence for each misspelled key.

    Treats a key of hfstack's that is null as missing. Raises `ConfigError`.
    """
    own: dict[str, object] = {}
    other_keys: dict[str, object] = {}
    misspelled_keys: list[str] = []
    for key, value in row.items():
        known = ALIASES.get(key, key)
        near = difflib.get_close_matches(key.lower(), NEAREST, n=1, cutoff=0.8)
        if known in own:
            raise ConfigError(f"{where}: {known} is set twice, also as {key}, wanted it once")
        if known in Template.model_fields:
            if value is not None:
                own[known] = value
        elif near:
            misspelled_keys.append(f"{where}: found the key {key}, wanted {NEAREST[near[0]]}")
        else:
            other_keys[known] = value
    return own, other_keys, tuple(misspelled_keys)


def find_contradiction(template: Template) -> str:
    """Return a sentence about keys that contradict each other, "" if none do."""
    if not template.flavor and not template.flavors:
        return "flavor is missing"
    if template.userData is not None and template.userDataFile:
        return "userData and userDataFile are both set, wanted one of them"
    if template.serverGroup and "group" in template.schedulerHints:
        return "serverGroup and schedulerHints.group are both set, wanted one of them"
    if len(set(template.tags)) < len(template.tags):
        return "tags contains a duplicate, wanted each tag once"
    return ""
