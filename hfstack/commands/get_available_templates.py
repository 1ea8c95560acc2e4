"""getAvailableTemplates: which kinds of machines there are. From the template file alone, without the cloud.

HostFactory drops a provider that has no templates, so a file without a usable one is a mistake and not an empty answer;
a template that is broken is left out, named, and does not spoil the others.
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
    """Answer HostFactory's document, which holds nothing of interest; `name` is what messages call it.

    Raises `InputError`, `ConfigError`.
    """
    if not isinstance(document, dict):
        raise InputError(f"{name}: found {describe(document)}, wanted an object")
    file = template_file.load(context.environment)
    for reason in (*file.invalid.values(), *(doubt for entry in file.entries for doubt in entry.misspelled_keys)):
        context.log.warning(reason)
    if not file.entries:
        raise ConfigError(next(iter(file.invalid.values())))
    lsf = is_lsf(context.env)
    message = f"{len(file.entries)} of {len(file.entries) + len(file.invalid)} templates"
    if file.invalid:
        message += f"; broken and left out, see the log: {', '.join(file.invalid)}"
    context.log.info(message)
    return {"templates": [available(entry, lsf) for entry in file.entries], "message": message}


def available(entry: Entry, lsf: bool) -> schema.AvailableTemplate:
    """Return what HostFactory gets to see of a template: its own keys and what it passes through, nothing of ours."""
    template = entry.template
    attributes = {name: list(pair) for name, pair in template.attributes.items()}
    if lsf:
        attributes.setdefault("mem", attributes["nram"])
        attributes.setdefault("openstackhost", ["Boolean", "1"])
    found = {"templateId": template.templateId, "maxNumber": template.maxNumber, "attributes": attributes}
    # a TypedDict cannot say "and any other key"
    return cast("schema.AvailableTemplate", {**found, **entry.other_keys})
