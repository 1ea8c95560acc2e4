"""docs/hostfactory-setup.md: its files can be copied as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from hfstack import inputs
from hfstack.cli import COMMANDS
from hfstack.config import settings, template_file
from hfstack.config.settings import Settings
from hfstack.environment import Environment
from hfstack.errors import REFUSAL_CODES
from hfstack.log import Log
from tests import ROOT
from tests.docs.pages import between, rows

PAGE = (ROOT / "docs" / "hostfactory-setup.md").read_text("utf-8")
BLOCKS = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def files(key: str) -> list[dict[str, Any]]:
    """Return the page's JSON files that have this key."""
    return [found for found in map(json.loads, BLOCKS) if key in found]


def test_every_instance_names_a_plug_in_of_the_page_or_its_own_scripts() -> None:
    plugins = {plugin["name"] for file in files("providerplugins") for plugin in file["providerplugins"]}
    instances = [(file.get("version"), one) for file in files("providers") for one in file["providers"]]
    for version, one in instances:
        if isinstance(one, str):
            continue  # a requestor's list of names
        assert one["plugin"] in plugins if version == 2 else one["scriptPath"]
        assert one["confPath"]
    assert {version for version, _ in instances} == {None, 1, 2}


def test_the_instances_settings_are_valid_and_known(environment: Environment, log: Log) -> None:
    (document,) = files("privateNetworks")
    assert set(document) <= set(settings.Settings.model_fields)
    (Path(environment.confdir) / "bankprov_config.json").write_text(json.dumps(document), "utf-8")
    assert settings.load(environment, log).cloud == document["cloud"]


def test_the_instances_templates_are_valid(environment: Environment) -> None:
    (document,) = files("templates")
    (Path(environment.confdir) / "bankprov_templates.json").write_text(json.dumps(document), "utf-8")
    assert template_file.find(environment, Settings(), "worker").maxNumber == 10


def test_the_instances_cloud_is_the_one_in_its_settings() -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (document,) = files("privateNetworks")
    assert list(yaml.safe_load(text)["clouds"]) == [document["cloud"]]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_tried_by_hand(command: str) -> None:
    assert f"/opt/hfstack/scripts/{command}.sh -f $in" in PAGE


def test_every_code_that_lsf_can_get_is_listed_with_its_meaning() -> None:
    listed = {cells[0].strip("`"): cells[1] for cells in rows(between(PAGE, "refusal codes"))}
    assert listed == REFUSAL_CODES


QUESTIONS: dict[str, Callable[[object, str], object]] = {
    "getAvailableTemplates": lambda document, _: document,
    "getRequestStatus": inputs.request_ids,
    "getReturnRequests": inputs.reported_machines,
    "requestMachines": inputs.machine_request,
    "requestReturnMachines": inputs.machines_to_return,
}


def test_what_is_asked_by_hand_is_understood() -> None:
    steps = re.findall(r"echo '(.*)' > \$in\n.*/scripts/(\w+)\.sh -f \$in\n", PAGE)
    assert {command for _, command in steps} == set(COMMANDS)
    for question, command in steps:
        QUESTIONS[command](json.loads(question), "by hand")
