"""getAvailableTemplates: the site's templates, read from the template file without asking the cloud.

HostFactory drops a provider that has no templates, so a file without a valid template is an error and not an empty
answer. An invalid template is skipped and named, and does not affect the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from hfstack.config import template_file
from hfstack.environment import is_lsf
from hfstack.errors import ConfigError, InputError, describe

if TYPE_CHECKING:
    from hfstack import schema
    from hfstack.config.template_file import Entry
    from hfstack.context import Context

NAME = "getAvailableTemplates"


def run(document: object, name: str, context: Context) -> schema.TemplatesDocument:
    """Answer HostFactory's document, whose content does not matter; messages call it `name`.

    Raises `InputError`, `ConfigError`.
    """
    if not isinstance(document, dict):
        raise InputError(f"{name}: found {describe(document)}, wanted an object")
    file = template_file.load(context.environment, context.settings)
    for warning in (*file.invalid.values(), *(key for entry in file.entries for key in entry.misspelled_keys)):
        context.log.warning(warning)
    if not file.entries:
        raise ConfigError(next(iter(file.invalid.values())))
    lsf = is_lsf(context.env)
    message = f"{len(file.entries)} of {len(file.entries) + len(file.invalid)} templates"
    if file.invalid:
        message += f"; skipped as invalid, see the log: {', '.join(file.invalid)}"
    context.log.info(message)
    return {"templates": [available(entry, lsf) for entry in file.entries], "message": message}


def available(entry: Entry, lsf: bool) -> schema.AvailableTemplate:
    """Return what HostFactory sees of a template: its own keys, and those passed through, without our keys."""
    template = entry.template
    attributes = {name: list(pair) for name, pair in template.attributes.items()}
    if lsf:
        attributes.setdefault("mem", attributes["nram"])
        attributes.setdefault("openstackhost", ["Boolean", "1"])
    keys = {"templateId": template.templateId, "maxNumber": template.maxNumber, "attributes": attributes}
    # a TypedDict cannot say "and any other key"
    return cast("schema.AvailableTemplate", {**keys, **entry.other_keys})
