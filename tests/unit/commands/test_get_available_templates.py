"""getAvailableTemplates: what HostFactory or LSF sees of the template file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from hfstack import schema
from hfstack.commands import get_available_templates
from hfstack.config.settings import Settings
from hfstack.context import Budget, Context
from hfstack.environment import Environment
from hfstack.errors import ConfigError, InputError
from hfstack.log import Log
from tests.unit.small import ATTRIBUTES, small

DOCUMENT = TypeAdapter(schema.TemplatesDocument)

Answer = Callable[..., Any]


@pytest.fixture
def answer(environment: Environment, log: Log) -> Answer:
    """Call the command in this process with a file that contains these templates."""

    def answer(*rows: object, env: Mapping[str, str] | None = None, document: object = None) -> Any:
        write(environment, *rows)
        context = Context(environment, Settings(), env or {"HF_PROVIDER_NAME": "bank"}, log, Budget(60))
        found = get_available_templates.run({} if document is None else document, "in.json", context)
        DOCUMENT.validate_python(found, strict=True, extra="allow")
        assert json.loads(json.dumps(found)) == found
        return found

    return answer


def write(environment: Environment, *rows: object) -> Path:
    path = Path(environment.confdir) / "bankprov_templates.json"
    path.write_text(json.dumps({"templates": rows}), "utf-8")
    return path


SHOWN: dict[str, Any] = {
    "templateId": "small",
    "maxNumber": 10,
    "attributes": {
        "type": ["String", "X86_64"],
        "ncpus": ["Numeric", "4"],
        "nram": ["Numeric", "8192"],
        "ncores": ["Numeric", "1"],
    },
}


def test_the_answer_has_hostfactorys_keys_and_no_others(answer: Answer) -> None:
    own = {
        "keyName": "ops",
        "userData": "hunter2",
        "securityGroups": ["ssh"],
        "metadata": {"a": "b"},
        "bootVolume": {"size": 9},
        "KeyName ": "typo",
    }
    assert answer(small(**own)) == {"templates": [SHOWN], "message": "1 of 1 templates"}


def test_keys_of_hostfactory_are_passed_on_unchanged(answer: Answer) -> None:
    passed = {"priority": 7, "pgrpName": "g", "instanceTags": "a=b", "vmTypes": {"x": 1}, "onDemandCapacity": 0}
    assert answer(small(**passed))["templates"] == [{**SHOWN, **passed}]


def test_templates_keep_their_order_and_their_numbers(answer: Answer) -> None:
    rows = [small(templateId=f"T{number}", maxNumber=number) for number in (10000, -1, 0)]
    found = [(one["templateId"], one["maxNumber"]) for one in answer(*rows)["templates"]]
    assert found == [("T10000", 10000), ("T-1", -1), ("T0", 0)]


def test_attributes_are_strings_whatever_the_file_contains(answer: Answer) -> None:
    (shown,) = answer(small(attributes={**ATTRIBUTES, "ncores": ["Numeric", 2], "gpu": ["Boolean", True]}))["templates"]
    assert shown["attributes"]["ncores"] == ["Numeric", "2"]
    assert shown["attributes"]["gpu"] == ["Boolean", "1"]


def test_lsf_sees_memory_and_its_boolean(answer: Answer) -> None:
    (shown,) = answer(small(), env={"PRO_CONF_DIR": "/lsf/conf"})["templates"]
    added = {"mem": ["Numeric", "8192"], "openstackhost": ["Boolean", "1"]}
    assert shown["attributes"] == {**SHOWN["attributes"], **added}


def test_an_lsf_template_overrides_the_added_attributes(answer: Answer) -> None:
    said = {"mem": ["Numeric", "4000"], "openstackhost": ["Boolean", "0"]}
    (shown,) = answer(small(attributes={**ATTRIBUTES, **said}), env={"PRO_DATA_DIR": "/lsf"})["templates"]
    assert shown["attributes"] == {**ATTRIBUTES, **said, "ncores": ["Numeric", "1"]}


def test_an_invalid_template_is_left_out_and_named(
    answer: Answer, environment: Environment, logged: Callable[[], str]
) -> None:
    found = answer(small(), small(templateId="big", image=None), {"userData": "hunter2"})
    assert found["templates"] == [SHOWN]
    assert found["message"] == "1 of 3 templates; skipped as invalid, see the log: big, templates[2]"
    path = Path(environment.confdir) / "bankprov_templates.json"
    assert f" WARNING - {path}: template big: image is missing\n" in logged()
    assert f" WARNING - {path}: templates[2]: templateId is missing\n" in logged()
    assert "hunter2" not in logged()


def test_a_probable_typo_is_a_line_in_the_log(
    answer: Answer, environment: Environment, logged: Callable[[], str]
) -> None:
    assert answer(small(userdata="hunter2"))["templates"] == [SHOWN]
    path = Path(environment.confdir) / "bankprov_templates.json"
    assert f" WARNING - {path}: template small: found the key userdata, wanted userData\n" in logged()
    assert "hunter2" not in logged()


def test_no_template_at_all_is_an_error(answer: Answer) -> None:
    with pytest.raises(ConfigError, match=r"template small: image is missing$"):
        answer(small(image=None), small(templateId="big", image=None))


@pytest.mark.parametrize("document", [{"templates": 1}, {}], ids=str)
def test_any_object_is_accepted(answer: Answer, document: object) -> None:
    assert answer(small(), document=document)["templates"] == [SHOWN]


@pytest.mark.parametrize(("document", "found"), [([], "a list"), ("x", 'the string "x"'), (0, "the number 0")])
def test_anything_else_is_refused(answer: Answer, document: object, found: str) -> None:
    with pytest.raises(InputError) as caught:
        answer(small(), document=document)
    assert str(caught.value) == f"in.json: found {found}, wanted an object"


# As a process


def test_as_a_process_without_the_cloud(environment: Environment, tmp_path: Path) -> None:
    write(environment, small())
    (tmp_path / "in").write_text("{}", "utf-8")
    env = {
        "HF_PROVIDER_NAME": "bank",
        "HF_PROVIDER_CONFDIR": environment.confdir,
        "HF_PROVIDER_LOGDIR": environment.logdir,
    }
    command = [sys.executable, "-m", "hfstack", "getAvailableTemplates", "-f", str(tmp_path / "in")]
    done = subprocess.run(command, env=env, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout) == {"templates": [SHOWN], "message": "1 of 1 templates"}
    write(environment, {})
    done = subprocess.run(command, env=env, capture_output=True)
    assert (done.returncode, done.stderr) == (1, b"")
    assert json.loads(done.stdout) == {
        "message": f"{environment.confdir}/bankprov_templates.json: templates[0]: templateId is missing"
    }


def test_no_cloud_library_is_loaded() -> None:
    program = (
        "import sys; from hfstack.commands import get_available_templates; "
        "print(sorted(name for name in sys.modules if name.split('.')[0] in "
        "{'openstack', 'keystoneauth1', 'requests', 'yaml'} or name.startswith('hfstack.cloud')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
