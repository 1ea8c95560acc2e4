"""docs/migrating-from-lsf-openstack.md: IBM's keys, and a file of IBM's that works."""

from __future__ import annotations

from pathlib import Path

from hfstack.config import template_file
from hfstack.config.settings import Settings
from hfstack.config.template import Template
from hfstack.environment import Environment
from tests.docs.pages import between, blocks, read, rows

PAGE = read("docs/migrating-from-lsf-openstack.md")


def test_the_keys_mean_what_the_program_takes_them_for() -> None:
    table = {cells[0].strip("`"): cells[1].strip("`") for cells in rows(between(PAGE, "aliases"))}
    # the list itself is no key of a template
    assert table.pop("Templates") == "templates"
    assert table == {key: template_file.ALIASES[key] for key in table}
    spelled_otherwise = {key for key, known in template_file.ALIASES.items() if key.lower() != known.lower()}
    assert spelled_otherwise <= set(table)


def test_the_keys_that_take_the_place_of_ibms_settings_exist() -> None:
    for key in ("networks", "securityGroups", "keyName", "namePrefix"):
        assert f"`{key}` in each template" in PAGE
        assert key in Template.model_fields


def test_the_migrated_template_is_valid(tmp_path: Path) -> None:
    (example,) = blocks(PAGE.partition("<!-- migrated template -->")[2], "json")
    (tmp_path / "openstackprov_templates.json").write_text(example.text, encoding="utf-8")
    environment = Environment("openstack", str(tmp_path), "", "", "", "", 0, 0, "")
    template = template_file.find(environment, Settings(), "TemplateA")
    assert (template.maxNumber, template.attributes["nram"]) == (10, ("Numeric", "1024"))
