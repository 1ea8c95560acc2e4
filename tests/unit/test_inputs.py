"""HostFactory's input documents: what is tolerated, and what is refused with file, field, value found and wanted."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfstack import errors, inputs
from hfstack.errors import InputError
from tests.unit.shapes import JSON


def parse(content: bytes) -> object:
    return inputs.parse_json(content, "in.json")


def ids(document: object) -> tuple[list[str], bool]:
    return inputs.request_ids(document, "in.json")


def complaint(document: object) -> str:
    with pytest.raises(InputError) as caught:
        ids(document)
    return str(caught.value)


# Reading


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'{"requests": {"requestId": "req-1"}}', id="plain"),
        pytest.param(b'\xef\xbb\xbf{"requests": {"requestId": "req-1"}}', id="bom"),
        pytest.param(b'{\r\n"requests": {\r\n"requestId": "req-1"}}\r\n', id="crlf"),
        pytest.param(b'\n\n\t{"requests": {"requestId": "req-1"}}   \n', id="white-space-around"),
    ],
)
def test_a_document_is_utf_8_json(content: bytes) -> None:
    assert parse(content) == {"requests": {"requestId": "req-1"}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "in.json: empty, wanted a JSON object", id="empty"),
        pytest.param(b" \r\n", "in.json: empty, wanted a JSON object", id="white-space"),
        pytest.param(b"\xef\xbb\xbf", "in.json: empty, wanted a JSON object", id="only-bom"),
        pytest.param(b'{"a": "\xe4"}', "in.json: not UTF-8 (byte 7 is 0xe4)", id="latin-1"),
        pytest.param('{"a": 1}'.encode("utf-16"), "in.json: not UTF-8 (byte 0 is 0xff)", id="utf-16"),
        pytest.param(
            b'{"requests":\n {,}}',
            "in.json: not JSON: Expecting property name enclosed in double quotes at line 2 column 3",
            id="comma",
        ),
        pytest.param(b"{} {}", "in.json: not JSON: Extra data at line 1 column 4", id="two-documents"),
        pytest.param(b"requestId=req-1", "in.json: not JSON: Expecting value at line 1 column 1", id="no-json"),
        pytest.param(
            b"[" * 200_000,
            "in.json: not readable JSON: nested too deeply, or a number is too long",
            id="deep",
        ),
        pytest.param(
            b"1" * 10_000,
            "in.json: not readable JSON: nested too deeply, or a number is too long",
            id="long-number",
        ),
    ],
)
def test_an_unreadable_document_is_refused_with_the_position(content: bytes, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(content)
    assert str(caught.value) == message


def test_a_byte_order_mark_does_not_shift_the_position_of_a_bad_byte() -> None:
    with pytest.raises(InputError, match=r"byte 10 is 0xe4"):
        parse(b'\xef\xbb\xbf{"a": "\xe4"}')


@pytest.mark.parametrize("name", ["hf_in_Q2kSeS", "in put.json", "eingabe-ä"])
def test_the_name_of_the_file_does_not_matter(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"{}")
    assert inputs.read_document(str(path)) == {}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "gone.json")
    with pytest.raises(InputError) as caught:
        inputs.read_document(path)
    assert str(caught.value) == f"cannot read {path}: No such file or directory"


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        inputs.read_document(str(tmp_path))
    assert str(caught.value) == f"cannot read {tmp_path}: found a folder, wanted a regular file"


def test_an_impossible_file_name_is_refused() -> None:
    with pytest.raises(InputError, match="cannot read a\0b: embedded null byte"):
        inputs.read_document("a\0b")


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.json"
    path.write_bytes(b" " * (16 * 1024 * 1024 - 1) + b"{}")
    with pytest.raises(InputError) as caught:
        inputs.read_document(str(path))
    assert str(caught.value) == f"cannot read {path}: found more than 16 MiB"


def test_the_largest_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "in.json"
    path.write_bytes(b" " * (16 * 1024 * 1024 - 2) + b"{}")
    assert inputs.read_document(str(path)) == {}


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b'{"a": 1}')))
    assert inputs.read_document("-") == {"a": 1}


def test_errors_in_standard_input_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"")))
    with pytest.raises(InputError, match="standard input: empty, wanted a JSON object"):
        inputs.read_document("-")


def test_a_closed_standard_input_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="cannot read standard input: it is closed"):
        inputs.read_document("-")


# Request ids


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param({"requests": {"requestId": "req-1"}}, (["req-1"], False), id="object"),
        pytest.param({"requests": [{"requestId": "req-1"}]}, (["req-1"], True), id="list-of-one"),
        pytest.param(
            {"requests": [{"requestId": "req-2"}, {"requestId": "ret-1"}]}, (["req-2", "ret-1"], True), id="list"
        ),
        pytest.param({"requests": []}, ([], True), id="empty-list"),
        pytest.param(
            {"rc_account": "default", "requests": {"requestId": "req-1", "userData": {}}},
            (["req-1"], False),
            id="unknown-keys",
        ),
        pytest.param({"requests": {"requestId": "x" * 255}}, (["x" * 255], False), id="longest"),
        pytest.param({"requests": {"requestId": "anfrage ä/1"}}, (["anfrage ä/1"], False), id="strange-but-text"),
        pytest.param({"requests": {"requestId": "req\xa01"}}, (["req\xa01"], False), id="no-break-space"),
    ],
)
def test_request_ids_keep_their_order_and_container(document: object, expected: tuple[list[str], bool]) -> None:
    assert ids(document) == expected


def test_the_last_of_duplicate_keys_wins() -> None:
    assert ids(parse(b'{"requests": {"requestId": "req-1", "requestId": "req-2"}}')) == (["req-2"], False)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        pytest.param([], "in.json: found a list, wanted an object with the key requests", id="list"),
        pytest.param(None, "in.json: found null, wanted an object with the key requests", id="null"),
        pytest.param(
            {}, 'in.json: the key requests is missing, wanted {"requests": {"requestId": "…"}}', id="no-requests"
        ),
        pytest.param(
            {"Requests": {}},
            'in.json: the key requests is missing, wanted {"requests": {"requestId": "…"}}',
            id="other-case",
        ),
        pytest.param(
            {"requests": "req-1"},
            'in.json: requests is the string "req-1", wanted an object or a list of objects',
            id="string",
        ),
        pytest.param(
            {"requests": None}, "in.json: requests is null, wanted an object or a list of objects", id="null-requests"
        ),
        pytest.param({"requests": True}, "in.json: requests is true, wanted an object or a list of objects", id="true"),
        pytest.param({"requests": {}}, "in.json: requests.requestId is missing", id="no-id"),
        pytest.param(
            {"requests": {"requestId": 7}}, "in.json: requests.requestId is the number 7, wanted a string", id="number"
        ),
        pytest.param(
            {"requests": {"requestId": ["req-1"]}}, "in.json: requests.requestId is a list, wanted a string", id="ids"
        ),
        pytest.param({"requests": {"requestId": ""}}, "in.json: requests.requestId is empty", id="empty-id"),
        pytest.param({"requests": {"requestId": "  "}}, "in.json: requests.requestId is empty", id="blank-id"),
        pytest.param(
            {"requests": {"requestId": "x" * 256}},
            "in.json: requests.requestId has 256 characters, wanted at most 255",
            id="too-long",
        ),
        pytest.param(
            {"requests": {"requestId": "req-1\n"}},
            "in.json: requests.requestId contains a control character",
            id="newline",
        ),
        pytest.param(
            {"requests": {"requestId": "req\x7f1"}},
            "in.json: requests.requestId contains a control character",
            id="delete",
        ),
        pytest.param(
            {"requests": {"requestId": "req\x851"}}, "in.json: requests.requestId contains a control character", id="c1"
        ),
    ],
)
def test_a_malformed_input_is_refused_with_the_field(document: object, message: str) -> None:
    assert complaint(document) == message


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        pytest.param("req-2", 'requests[1] is the string "req-2", wanted an object with the key requestId', id="text"),
        pytest.param(None, "requests[1] is null, wanted an object with the key requestId", id="null"),
        pytest.param({}, "requests[1].requestId is missing", id="no-id"),
        pytest.param({"requestId": False}, "requests[1].requestId is false, wanted a string", id="false"),
    ],
)
def test_one_malformed_entry_refuses_the_whole_input(entry: object, message: str) -> None:
    assert complaint({"requests": [{"requestId": "req-1"}, entry]}) == f"in.json: {message}"


def test_a_long_value_is_cut_in_the_message() -> None:
    message = complaint({"requests": "x" * 10_000})
    assert len(message) < 200


@given(document=JSON | st.fixed_dictionaries({"requests": JSON | st.lists(JSON)}))
def test_any_document_gives_ids_or_one_sentence(document: object) -> None:
    try:
        found, _ = ids(document)
    except InputError as error:
        found = [str(error).removeprefix("in.json: ")]
    assert all(one.strip() for one in found)


@given(content=st.binary(max_size=50))
def test_any_bytes_give_a_document_or_one_sentence(content: bytes) -> None:
    with contextlib.suppress(InputError):
        json.dumps(parse(content))


@pytest.mark.parametrize(
    ("value", "name"),
    [
        pytest.param(None, "null", id="null"),
        pytest.param(True, "true", id="true"),
        pytest.param(0, "the number 0", id="zero"),
        pytest.param(1.5, "the number 1.5", id="fraction"),
        pytest.param("ä\n", 'the string "ä\\n"', id="string"),
        pytest.param([1], "a list", id="list"),
        pytest.param({}, "an object", id="object"),
    ],
)
def test_messages_describe_a_value(value: object, name: str) -> None:
    assert errors.describe(value) == name


# Requests for machines and returns


@pytest.mark.parametrize(
    ("document", "found"),
    [
        pytest.param({"template": {"templateId": "t", "machineCount": 3}}, ("t", 3, "", {}), id="symphony"),
        pytest.param({"template": {"templateId": "t", "machineCount": "3"}}, ("t", 3, "", {}), id="a-string"),
        pytest.param(
            {"template": {"templateId": "t", "machineCount": 1}, "rc_account": "risk", "userData": {"a": 1}},
            ("t", 1, "risk", {"a": 1}),
            id="lsf",
        ),
    ],
)
def test_a_request_for_machines(document: object, found: tuple[object, ...]) -> None:
    assert inputs.machine_request(document, "in.json") == found


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param([], 'in.json: wanted {"template"', id="a-list"),
        pytest.param({}, 'in.json: wanted {"template"', id="empty"),
        pytest.param({"template": {"machineCount": 1}}, "template.templateId is null", id="no-template-id"),
        *[
            pytest.param({"template": {"templateId": "t", "machineCount": count}}, "machineCount is", id=f"{count!r}")
            for count in (0, -1, 1.5, True, None, "x", "-1", "1.0", 10001, "99999", "")
        ],
        pytest.param(
            {"template": {"templateId": "t", "machineCount": 1}, "rc_account": 5}, "rc_account is", id="account"
        ),
        pytest.param(
            {"template": {"templateId": "t", "machineCount": 1}, "userData": "x"}, "userData is", id="user-data"
        ),
    ],
)
def test_a_malformed_request_for_machines(document: object, words: str) -> None:
    with pytest.raises(InputError) as caught:
        inputs.machine_request(document, "in.json")
    assert words in str(caught.value)


def test_machines_to_return_are_an_object_or_a_list_by_id_or_name() -> None:
    one = {"machineId": "1", "name": "a", "other": []}
    assert inputs.machines_to_return({"machines": one}, "in.json") == [("1", "a")]
    both = {"machines": [one, {"name": "b"}, {"machineId": "3", "name": None}, one]}
    assert inputs.machines_to_return(both, "in.json") == [("1", "a"), ("", "b"), ("3", "")]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param({}, "in.json: wanted", id="empty"),
        pytest.param({"machines": []}, "in.json: wanted", id="no-machines"),
        pytest.param({"machines": ["a"]}, 'machines[0] is the string "a", wanted an object', id="a-string"),
        pytest.param({"machines": [{"name": "a"}, {}]}, "machines[1] has neither machineId nor name", id="neither"),
        pytest.param({"machines": [{"machineId": 7}]}, "machines[0].machineId is the number 7", id="a-number"),
    ],
)
def test_a_malformed_return(document: object, words: str) -> None:
    with pytest.raises(InputError) as caught:
        inputs.machines_to_return(document, "in.json")
    assert words in str(caught.value)
