"""docs/configuration.md: every setting and every key of a template, with its default, and no other."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from hfstack import environment as environment_module
from hfstack.config import template_file
from hfstack.config.settings import Settings
from hfstack.config.template import Template
from hfstack.environment import Environment
from tests.docs.pages import between, blocks, read, rows

PAGE = read("docs/configuration.md")


@pytest.mark.parametrize(("marker", "model"), [("settings", Settings), ("template keys", Template)])
def test_a_table_has_the_keys_of_the_program_with_their_defaults(marker: str, model: type[BaseModel]) -> None:
    found = rows(between(PAGE, marker))
    table = {cells[0].strip("`"): cells[1] for cells in found}
    assert set(table) == set(model.model_fields)
    assert len(table) == len(found)
    for key, field in model.model_fields.items():
        if field.is_required():
            assert table[key] == "required"
        elif field.default is not None and key not in {"securityGroups", "availabilityZones"}:
            # these two are empty, and the cloud decides
            assert table[key] == f"`{json.dumps(field.default)}`"


def test_the_template_is_valid(tmp_path: Path) -> None:
    (example,) = blocks(PAGE.partition("<!-- templates example -->")[2].partition("<!--")[0], "json")
    (tmp_path / "openstackprov_templates.json").write_text(example.text, encoding="utf-8")
    (tmp_path / "worker.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    environment = Environment("bank", str(tmp_path), "", "", "", "", 0, 0, "")
    assert template_file.find(environment, Settings(), "worker").userData == "#!/bin/sh\n"


def test_every_variable_of_the_environment_is_described() -> None:
    section = PAGE.partition("## The environment\n")[2].partition("\n## ")[0]
    variables = set(re.findall(r'"((?:HF|PRO|PROVIDER|EGOSC)_\w+)"', inspect.getsource(environment_module)))
    # it only says that this is LSF or HostFactory
    assert {one for one in variables if f"{one}`" not in section and f"${one}" not in section} == {
        "PRO_LSF_TOP",
        "HF_TOP",
    }
