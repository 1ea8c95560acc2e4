"""The template file: its name, the keys of a template, and the messages about errors."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfstack.config import template_file, user_data
from hfstack.config.settings import Settings
from hfstack.config.template import Template
from hfstack.config.template_file import TemplateFile
from hfstack.environment import Environment
from hfstack.errors import ConfigError
from tests.unit.shapes import JSON
from tests.unit.small import ATTRIBUTES, small


@pytest.fixture
def write(environment: Environment) -> Callable[..., Path]:
    """Write a template file of these templates, or of these bytes."""

    def write(*rows: object, content: bytes | None = None, name: str = "bankprov_templates.json") -> Path:
        path = Path(environment.confdir) / name
        path.write_bytes(json.dumps({"templates": rows}).encode() if content is None else content)
        return path

    return write


@pytest.fixture
def one(environment: Environment, write: Callable[..., Path]) -> Callable[..., Template]:
    """Load a file of one template, which must be valid."""

    def one(**changes: Any) -> Template:
        write(small(**changes))
        return template_file.find(environment, Settings(), changes.get("templateId", "small"))

    return one


@pytest.fixture
def mistake(environment: Environment, write: Callable[..., Path]) -> Callable[..., str]:
    """Load a file of one template, which must be refused. Return the message without the template's name."""

    def mistake(**changes: Any) -> str:
        path = write(small(**changes))
        with pytest.raises(ConfigError) as caught:
            template_file.find(environment, Settings(), "small")
        head, found = str(caught.value)[: len(str(path))], str(caught.value)[len(str(path)) :]
        assert head == str(path)
        return found.removeprefix(": template small: ")

    return mistake


# Which file


def test_the_file_is_named_after_the_provider(environment: Environment, write: Callable[..., Path]) -> None:
    common = write(small(image="common"), name="openstackprov_templates.json")
    assert template_file.load(environment, Settings()).path == str(common)
    write(small(image="own"))
    assert template_file.find(environment, Settings(), "small").image == "own"


def test_it_is_read_anew_at_each_call_with_or_without_byte_order_mark(
    environment: Environment, write: Callable[..., Path]
) -> None:
    write(small())
    template_file.load(environment, Settings())
    write(content=b"\xef\xbb\xbf" + json.dumps({"templates": [small(image="räv")]}, ensure_ascii=False).encode())
    assert template_file.find(environment, Settings(), "small").image == "räv"


def test_a_missing_file_is_named(environment: Environment) -> None:
    with pytest.raises(ConfigError, match=r"there is no bankprov_templates\.json in /"):
        template_file.load(environment, Settings())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "empty, wanted a JSON object", id="empty"),
        pytest.param(b'{"templates": [\xe4]}', "not UTF-8 (byte 15 is 0xe4)", id="latin-1"),
        pytest.param(b"[]", "found a list, wanted an object", id="list"),
        pytest.param(b"{}", "templates is missing, wanted a list of templates", id="nothing"),
        pytest.param(b'{"templates": []}', "templates is empty, wanted a list of templates", id="none"),
        pytest.param(b'{"templates": {}}', "templates is an object, wanted a list of templates", id="object"),
    ],
)
def test_an_invalid_file_is_refused_with_its_name(
    environment: Environment, write: Callable[..., Path], content: bytes, message: str
) -> None:
    path = write(content=content)
    with pytest.raises(ConfigError) as caught:
        template_file.load(environment, Settings())
    assert str(caught.value) == f"{path}: {message}"


# Several templates


def test_an_invalid_template_does_not_affect_the_others(environment: Environment, write: Callable[..., Path]) -> None:
    path = write(small(image=None), small(templateId="good"), 7, small(templateId="good"))
    file = template_file.load(environment, Settings())
    assert [entry.template.templateId for entry in file.entries] == ["good"]
    assert file.invalid == {
        "small": f"{path}: template small: image is missing",
        "templates[2]": f"{path}: templates[2]: found the number 7, wanted an object",
        "templates[3]": f"{path}: templates[3]: templateId is good again, wanted a unique one",
    }


def test_a_missing_template_is_named(environment: Environment, write: Callable[..., Path]) -> None:
    path = write(small())
    with pytest.raises(ConfigError) as caught:
        template_file.find(environment, Settings(), "big")
    assert str(caught.value) == f"{path}: there is no template big"


# Keys


def test_a_minimal_template_has_defaults(one: Callable[..., Template]) -> None:
    assert one().model_dump(exclude={"attributes", *small()}) == {
        "flavors": ("m1.small",),
        "securityGroups": (),
        "keyName": None,
        "userData": None,
        "userDataFile": None,
        "availabilityZones": (),
        "serverGroup": None,
        "schedulerHints": {},
        "bootVolume": None,
        "configDrive": False,
        "metadata": {},
        "tags": (),
        "description": None,
        "floatingNetwork": None,
        "namePrefix": "hf",
    }


def test_every_key_can_be_set(one: Callable[..., Template]) -> None:
    said = {
        "flavors": ["m1.small", "m1.medium"],
        "networks": ["grid", "storage"],
        "securityGroups": ["ssh"],
        "keyName": "ops",
        "userData": "#!/bin/sh\n",
        "availabilityZones": ["az1", "az2"],
        "serverGroup": "apart",
        "schedulerHints": {"different_host": ["a"]},
        "bootVolume": {"size": 20, "type": "ssd", "deleteOnTermination": False},
        "configDrive": True,
        "metadata": {"cost centre:1": "42"},
        "tags": ["grid"],
        "description": "a worker",
        "floatingNetwork": "public",
        "namePrefix": "w",
    }
    found = one(**said)
    assert json.loads(found.model_dump_json(include=set(said))) == said
    assert {*small(), *said, "userDataFile"} == set(Template.model_fields)


@pytest.mark.parametrize(
    ("changes", "flavors"),
    [
        pytest.param({}, ("m1.small",), id="flavor"),
        pytest.param({"flavor": None, "flavors": ["a", "b", "a"]}, ("a", "b"), id="flavors"),
        pytest.param({"flavors": ["a", "m1.small"]}, ("m1.small", "a"), id="both"),
    ],
)
def test_flavors_are_tried_in_order(one: Callable[..., Template], changes: Any, flavors: tuple[str, ...]) -> None:
    assert one(**changes).flavors == flavors


def test_a_key_that_is_null_counts_as_missing(environment: Environment, write: Callable[..., Path]) -> None:
    write({**small(), "keyName": None, "tags": None, "pgrpName": None})
    (entry,) = template_file.load(environment, Settings()).entries
    assert (entry.template.keyName, entry.template.tags, entry.other_keys) == (None, (), {"pgrpName": None})


def test_ibms_names_for_lsf_are_accepted(environment: Environment, write: Callable[..., Path]) -> None:
    row = {
        "Name": "TemplateA",
        "MaxNumber": "0",
        "Attributes": {"type": ["String", "X86_64"], "ncpus": ["Numeric", "1"], "mem": ["Numeric", "1024"]},
        "Image": "rocky",
        "Flavor": "lsf.small",
        "UserData": "#!/bin/sh\n",
        "Priority": "2",
        "Networks": ["grid"],
    }
    write(content=json.dumps({"Templates": [row]}).encode())
    (entry,) = template_file.load(environment, Settings()).entries
    found = entry.template
    assert (found.templateId, found.maxNumber, found.image, found.flavors) == ("TemplateA", 0, "rocky", ("lsf.small",))
    assert (found.userData, found.networks, entry.other_keys) == ("#!/bin/sh\n", ("grid",), {"priority": "2"})
    assert found.attributes["nram"] == ("Numeric", "1024")


# Attributes


@pytest.mark.parametrize(
    ("given_pair", "taken"),
    [
        pytest.param(["Numeric", "4"], ("Numeric", "4"), id="strings"),
        pytest.param(["Numeric", 4], ("Numeric", "4"), id="number"),
        pytest.param(["Numeric", 4.0], ("Numeric", "4"), id="whole-float"),
        pytest.param(["Numeric", 0.5], ("Numeric", "0.5"), id="float"),
        pytest.param(["numeric", "4"], ("Numeric", "4"), id="lower-case"),
        pytest.param(["Boolean", True], ("Boolean", "1"), id="true"),
        pytest.param(["Boolean", "0"], ("Boolean", "0"), id="zero"),
        pytest.param(["String", 7], ("String", "7"), id="number-as-string"),
        pytest.param(["String", ""], ("String", ""), id="empty"),
    ],
)
def test_an_attributes_value_becomes_a_string(one: Callable[..., Template], given_pair: object, taken: object) -> None:
    assert one(attributes={**ATTRIBUTES, "x": given_pair}).attributes["x"] == taken


def test_cores_per_processor_default_to_one() -> None:
    loaded = Template.model_validate(small())
    assert list(loaded.attributes) == ["type", "ncpus", "nram", "ncores"]
    assert loaded.attributes["ncores"] == ("Numeric", "1")
    both = Template.model_validate(small(attributes={**ATTRIBUTES, "ncores": ["Numeric", "2"]}))
    assert both.attributes["ncores"] == ("Numeric", "2")


# Errors

TEXT = 'wanted ["String", "…"], ["Numeric", a number] or ["Boolean", "1" or "0"]'


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"maxNumber": None}, "maxNumber is missing", id="no-number"),
        pytest.param({"maxNumber": True}, "maxNumber is true, wanted a whole number", id="number-true"),
        pytest.param({"maxNumber": -2}, "maxNumber is the number -2, wanted at least -1", id="number-low"),
        pytest.param({"maxNumber": 10001}, "maxNumber is the number 10001, wanted at most 10000", id="number-high"),
        pytest.param({"image": ""}, 'image is the string "", wanted at least 1 character', id="image-empty"),
        pytest.param({"flavor": None}, "flavor is missing", id="no-flavor"),
        pytest.param({"flavors": ["a", 7]}, "flavors[1] is the number 7, wanted a string", id="flavor-number"),
        pytest.param({"networks": None}, "networks is missing", id="no-networks"),
        pytest.param({"networks": []}, "networks is a list, wanted at least 1 entry", id="networks-empty"),
        pytest.param({"networks": "grid"}, 'networks is the string "grid", wanted a list', id="networks-string"),
        pytest.param({"attributes": []}, "attributes is a list, wanted an object", id="attributes-list"),
        pytest.param(
            {"attributes": {"type": ["String", "X86_64"], "ncpus": ["Numeric", "1"]}},
            "attributes is an object, wanted the attributes type, ncpus and nram (in LSF: mem)",
            id="no-memory",
        ),
        pytest.param(
            {"attributes": {**ATTRIBUTES, "ncpus": 4}},
            'attributes.ncpus is the number 4, wanted a pair such as ["Numeric", "4"]',
            id="no-pair",
        ),
        pytest.param(
            {"attributes": {**ATTRIBUTES, "ncpus": ["Numeric", "0"]}},
            'attributes is an object, wanted ncpus as ["Numeric", a number above 0]',
            id="no-processors",
        ),
        pytest.param(
            {"attributes": {**ATTRIBUTES, "type": ["String", ""]}},
            'attributes is an object, wanted type as ["String", a name]',
            id="type-empty",
        ),
        pytest.param(
            {"attributes": {**ATTRIBUTES, "x": ["Numeric", "4 GB"]}}, f"attributes.x is a list, {TEXT}", id="no-number"
        ),
        pytest.param(
            {"attributes": {**ATTRIBUTES, "x": ["Boolean", "yes"]}}, f"attributes.x is a list, {TEXT}", id="yes"
        ),
        pytest.param({"attributes": {**ATTRIBUTES, "x": ["Text", "a"]}}, f"attributes.x is a list, {TEXT}", id="kind"),
        pytest.param({"bootVolume": 20}, "bootVolume is the number 20, wanted an object", id="volume-number"),
        pytest.param({"bootVolume": {}}, "bootVolume.size is missing", id="volume-empty"),
        pytest.param(
            {"bootVolume": {"size": 0}}, "bootVolume.size is the number 0, wanted at least 1", id="volume-zero"
        ),
        pytest.param(
            {"bootVolume": {"sise": 20}},
            "bootVolume is an object, wanted the keys size, type, deleteOnTermination, not sise",
            id="volume-typo",
        ),
        pytest.param({"configDrive": "si"}, 'configDrive is the string "si", wanted true or false', id="config-drive"),
        pytest.param({"tags": ["a/b"]}, 'tags[0] is the string "a/b", wanted 1 to 60 characters, no slash or comma'),
        pytest.param(
            {"tags": ["x" * 61]}, f'tags[0] is the string "{"x" * 40}", wanted 1 to 60 characters, no slash or comma'
        ),
        pytest.param({"tags": ["a", "a"]}, "tags contains a duplicate, wanted each tag once", id="tag-twice"),
        pytest.param(
            {"tags": [str(number) for number in range(46)]}, "tags is a list, wanted at most 45 entries", id="46-tags"
        ),
        pytest.param({"metadata": {"a": 1}}, "metadata.a is the number 1, wanted a string", id="metadata-number"),
        pytest.param(
            {"description": "x" * 256}, f'description is the string "{"x" * 40}", wanted at most 255 characters'
        ),
        pytest.param(
            {"schedulerHints": {"group": "a"}, "serverGroup": "b"},
            "serverGroup and schedulerHints.group are both set, wanted one of them",
            id="two-groups",
        ),
        pytest.param(
            {"userData": "", "userDataFile": "a"},
            "userData and userDataFile are both set, wanted one of them",
            id="two-user-data",
        ),
        pytest.param({"Image": "a"}, "image is set twice, also as Image, wanted it once", id="two-images"),
    ],
)
def test_an_error_names_field_found_and_wanted(
    mistake: Callable[..., str], changes: dict[str, Any], message: str
) -> None:
    assert mistake(**changes) == message


@pytest.mark.parametrize("tag", ["hf:req-1", "hfp:bank", "hostfactory", "hf-drain", "hf-drain:60"])
def test_reserved_tags_are_refused(mistake: Callable[..., str], tag: str) -> None:
    assert "wanted another tag" in mistake(tags=[tag])


@pytest.mark.parametrize("key", ["", "a/b", "ü", "x" * 256])
def test_metadata_obeys_novas_limits(mistake: Callable[..., str], key: str) -> None:
    assert "metadata is an object, wanted keys of 1 to 255" in mistake(metadata={key: "v"})
    assert "values of at most 255 characters" in mistake(metadata={"a": "v" * 256})


def test_reserved_metadata_is_refused(mistake: Callable[..., str]) -> None:
    assert "wanted another key than hf_count: those that begin with hf_ are reserved" in mistake(
        metadata={"hf_count": "3"}
    )


@pytest.mark.parametrize("template_id", ["", "a b", "ä", "x" * 65])
def test_a_template_id_obeys_hostfactorys_rules(
    environment: Environment, write: Callable[..., Path], template_id: str
) -> None:
    write(small(templateId=template_id))
    (message,) = template_file.load(environment, Settings()).invalid.values()
    assert message.endswith("wanted 1 to 64 letters, digits, _ and -")


@pytest.mark.parametrize("prefix", ["", "Grid", "a_b", "-a", "a-", "x" * 49])
def test_a_name_prefix_makes_host_names(mistake: Callable[..., str], prefix: str) -> None:
    assert mistake(namePrefix=prefix).endswith("wanted 1 to 48 of a-z, 0-9 and -, no dash at the ends")


# Keys that hfstack does not know


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("userdata", "userData"),
        ("KEYNAME", "keyName"),
        ("network", "networks"),
        ("securityGroupIds", "securityGroups"),
        ("imageId", "image"),
        ("flavour", "flavor"),
        ("tag", "tags"),
        ("maxNumbers", "maxNumber"),
    ],
)
def test_a_probable_typo_is_named_with_the_nearest_key(
    environment: Environment, mistake: Callable[..., str], key: str, near: str
) -> None:
    assert mistake(**{key: "x"}) == f"found the key {key}, wanted {near}"
    (entry,) = template_file.load(environment, Settings()).entries
    assert entry.other_keys == {}


@pytest.mark.parametrize(
    "key",
    ["priority", "pgrpName", "vmTypes", "instanceTags", "onDemandCapacity", "rank", "priceInfo", "rcAccount", "ttl"],
)
def test_keys_of_hostfactory_are_kept(environment: Environment, write: Callable[..., Path], key: str) -> None:
    write(small(**{key: {"a": [1, "x"]}}))
    (entry,) = template_file.load(environment, Settings()).entries
    assert (entry.other_keys, entry.misspelled_keys) == ({key: {"a": [1, "x"]}}, ())


@given(
    row=st.dictionaries(st.sampled_from([*Template.model_fields, *template_file.ALIASES, "x"]), JSON, max_size=4),
    valid=st.booleans(),
)
def test_any_template_is_accepted_or_reported(
    tmp_path_factory: pytest.TempPathFactory, row: dict[str, Any], valid: bool
) -> None:
    folder = tmp_path_factory.mktemp("conf")
    (folder / "openstackprov_templates.json").write_text(json.dumps({"templates": [small(**row) if valid else row]}))
    file = load(folder)
    assert len(file.entries) + len(file.invalid) == 1
    assert all(message.startswith(file.path) for message in file.invalid.values())


def load(folder: Path) -> TemplateFile:
    return template_file.load(Environment("bank", str(folder), "", "", "", "", 0, 0, ""), Settings())


# User data


def sparse(path: Path) -> None:
    """Make a file of 20 GB that takes no room."""
    path.write_bytes(b"")
    os.truncate(path, 20 * 1024**3)


def test_user_data_may_be_a_file_beside_the_template_file(
    environment: Environment, one: Callable[..., Template]
) -> None:
    (Path(environment.confdir) / "worker.sh").write_bytes(b"\xef\xbb\xbf#!/bin/sh\r\necho \xc3\xa4\n")
    assert one(userDataFile="worker.sh").userData == "#!/bin/sh\r\necho ä\n"


def test_text_that_looks_like_a_path_is_text(environment: Environment, one: Callable[..., Template]) -> None:
    (Path(environment.confdir) / "worker.sh").write_text("#!/bin/sh\n")
    assert one(userData="worker.sh").userData == "worker.sh"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "cannot read {path}: No such file or directory", id="missing"),
        pytest.param(b"\x1f\x8b", "{path} is not UTF-8 (byte 1)", id="binary"),
        pytest.param("ä".encode() * 40000, "{path} has more than 65535 bytes, Nova accepts 49149", id="too-long"),
    ],
)
def test_an_unusable_file_of_user_data_is_named(
    environment: Environment, mistake: Callable[..., str], content: bytes | None, message: str
) -> None:
    path = Path(environment.confdir) / "worker.sh"
    if content is not None:
        path.write_bytes(content)
    assert mistake(userDataFile="worker.sh") == "userDataFile: " + message.format(path=path)


def test_user_data_may_be_in_a_folder_of_the_setting(
    environment: Environment, write: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "shared" / "below").mkdir(parents=True)
    (tmp_path / "shared" / "below" / "worker.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    (Path(environment.confdir) / "linked.sh").symlink_to(tmp_path / "shared" / "below" / "worker.sh")
    for file in ("linked.sh", str(tmp_path / "shared" / "below" / "worker.sh"), "../shared/below/worker.sh"):
        write(small(userDataFile=file))
        allowed = Settings(userDataFolders=(str(tmp_path / "shared"),))
        assert template_file.find(environment, allowed, "small").userData == "#!/bin/sh\n"


def test_user_data_may_be_deeper_in_the_configuration_folder_which_may_be_a_link(
    environment: Environment, write: Callable[..., Path], tmp_path: Path
) -> None:
    (Path(environment.confdir) / "scripts").mkdir()
    (Path(environment.confdir) / "scripts" / "worker.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    write(small(userDataFile="scripts/worker.sh"))
    (tmp_path / "link").symlink_to(environment.confdir)
    linked = environment._replace(confdir=str(tmp_path / "link"))
    assert template_file.find(linked, Settings(), "small").userData == "#!/bin/sh\n"


@pytest.mark.parametrize(
    "file", ["/etc/shadow", "../elsewhere.sh", "linked.sh", "linked/elsewhere.sh", "../conf-2/x.sh", "/dev/zero", "."]
)
def test_user_data_elsewhere_is_refused(
    environment: Environment, mistake: Callable[..., str], tmp_path: Path, file: str
) -> None:
    """Case `/etc/shadow`."""
    conf = Path(environment.confdir)
    (tmp_path / "elsewhere.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "conf-2").mkdir()
    (tmp_path / "conf-2" / "x.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    (conf / "linked.sh").symlink_to("../elsewhere.sh")
    (conf / "linked").symlink_to(tmp_path)
    real = (conf / file).resolve()
    assert mistake(userDataFile=file) == (
        f"userDataFile {file} leads to {real}, wanted a file below {conf} or below a folder in userDataFolders"
    )


@pytest.mark.parametrize(
    "file",
    ["clouds.yaml", "SECURE.yaml", "a/../clouds.yaml", "old/clouds.yml", "linked.sh", "hard.sh", "cloud.sh", "key.sh"],
)
def test_credentials_are_never_user_data(environment: Environment, write: Callable[..., Path], file: str) -> None:
    conf = Path(environment.confdir)
    for folder in ("a", "old", "prod"):
        (conf / folder).mkdir()
    for name in ("clouds.yaml", "SECURE.yaml", "old/clouds.yml", "prod/my-cloud", "prod/secure.yaml"):
        (conf / name).write_text("password: Correct-Horse-7391", encoding="utf-8")
    (conf / "linked.sh").symlink_to("clouds.yaml")
    (conf / "hard.sh").hardlink_to(conf / "clouds.yaml")
    (conf / "cloud.sh").symlink_to("prod/my-cloud")
    (conf / "key.sh").hardlink_to(conf / "prod" / "secure.yaml")
    write(small(userDataFile=file))
    with pytest.raises(ConfigError) as caught:
        template_file.find(environment, Settings(cloudsFile="prod/my-cloud"), "small")
    real = (conf / file).resolve()
    assert str(caught.value).endswith(
        f"userDataFile {file} leads to {real}, wanted no file of credentials: guests can read user data"
    )


@pytest.mark.parametrize(
    ("make", "found"),
    [
        pytest.param(os.mkfifo, "cannot read {path}: found a named pipe, wanted a regular file", id="pipe"),
        pytest.param(Path.mkdir, "cannot read {path}: found a folder, wanted a regular file", id="folder"),
        pytest.param(sparse, "{path} has more than 65535 bytes, Nova accepts 49149", id="sparse"),
    ],
)
def test_user_data_is_a_regular_file(
    environment: Environment, mistake: Callable[..., str], make: Callable[[Path], object], found: str
) -> None:
    path = Path(environment.confdir) / "worker.sh"
    make(path)
    assert mistake(userDataFile="worker.sh") == "userDataFile: " + found.format(path=path)


@pytest.mark.parametrize("make", [os.mkfifo, sparse])
def test_the_template_file_is_a_regular_file(environment: Environment, make: Callable[[Path], object]) -> None:
    path = Path(environment.confdir) / "bankprov_templates.json"
    make(path)
    with pytest.raises(ConfigError, match=f"cannot read {path}: found "):
        template_file.load(environment, Settings())


def test_user_data_is_measured_with_its_placeholders_filled_in(one: Callable[..., Template]) -> None:
    for placeholder, length in (("{{requestId}}", 40), ("{{templateId}}", 5), ("{{name}}", 63), ("{{index}}", 5)):
        one(userData=placeholder + "x" * (49149 - length))
        with pytest.raises(ConfigError, match="userData has 65536 characters in base64, wanted at most 65535"):
            one(userData=placeholder + "x" * (49150 - length))


VALUES = {"requestId": "req-1", "templateId": "{{index}}", "name": "%EXPORT_USER_DATA%", "index": "7"}

PIECES = st.sampled_from([*((f"{{{{{key}}}}}", value) for key, value in VALUES.items())]) | (
    st.text(st.characters(codec="utf-8", exclude_characters="{}%"), max_size=9)
    | st.sampled_from(["{{ name }}", "{{other}}", "{{}}", "{% if %}"])
).map(lambda text: (text, text))


@given(pieces=st.lists(PIECES))
def test_placeholders_are_filled_in_once_and_nothing_else_changes(pieces: list[tuple[str, str]]) -> None:
    filled = user_data.fill("".join(text for text, _ in pieces), VALUES, {})
    assert filled == "".join(expected for _, expected in pieces)
    assert base64.b64decode(user_data.encode(filled)).decode() == filled


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        pytest.param({}, "", id="none"),
        pytest.param({"rc_account": "default"}, "export rc_account=default", id="account"),
        pytest.param(
            {"pack-ages": "gcc,g++", "log": "a 'b'"}, "export PACK_AGES=gcc,g++ LOG='a '\"'\"'b'\"'\"''", id="quoted"
        ),
    ],
)
def test_lsfs_variables_are_exported_at_ibms_placeholder(variables: dict[str, str], line: str) -> None:
    assert user_data.fill("#!/bin/sh\n%EXPORT_USER_DATA%\n", VALUES, variables) == f"#!/bin/sh\n{line}\n"
