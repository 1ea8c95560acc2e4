"""One record of Nova, read field by field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hfstack.config.template import Template
from hfstack.rules import server_record, status
from hfstack.rules.status import Terms
from tests.unit.records import CREATED_AT, FLOATING, FLOATING_V6, LAUNCHED_AT, V4, V6, down_cell, failed, server
from tests.unit.shapes import RECORDS, assert_is_machine
from tests.unit.small import small

# Host names


@pytest.mark.parametrize(
    ("server_name", "host_name"),
    [
        pytest.param("hf-33e9ed03-1", "hf-33e9ed03-1", id="already-one"),
        pytest.param("Grid_Node 1.bank", "grid-node-1-bank", id="dashes-for-underscore-space-and-dot"),
        pytest.param("n" * 63 + "x1", "n" * 63, id="cut-to-63"),
        pytest.param("n" * 62 + "--", "n" * 62, id="cut-before-stripped"),
        pytest.param("节点web节点", "web", id="not-latin-1-dropped"),
        pytest.param("节" * 63 + "web", "web", id="dropped-before-cut"),
        pytest.param("web!@#(1)/2", "web12", id="signs-dropped"),
        pytest.param("-.web.-", "web", id="stripped"),
        pytest.param("Bär", "bär", id="latin-1-letters-stay"),
        pytest.param("a\tb", "ab", id="tabs-dropped"),
    ],
)
def test_host_name_is_what_nova_makes_of_the_server_name(server_name: str, host_name: str) -> None:
    assert server_record.host_name(server(name=server_name)) == host_name


@pytest.mark.parametrize("server_name", ["节点", "...", "", None])
def test_a_name_of_which_nothing_is_left_gives_novas_default(server_name: str | None) -> None:
    assert server_record.host_name(server(name=server_name, id="4711")) == "Server-4711"


def test_metadata_may_name_the_host() -> None:
    assert server_record.host_name(server(metadata={"hf_hostname": "Node1.bank.example"})) == "Node1.bank.example"


@pytest.mark.parametrize("metadata", [None, {}, [], {"hf_hostname": ""}, {"hf_hostname": None}, {"hf_hostname": 4}])
def test_metadata_without_a_host_name_is_passed_over(metadata: object) -> None:
    assert server_record.host_name(server(name="web", metadata=metadata)) == "web"


# Times


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("2026-03-01T09:30:20.516729", LAUNCHED_AT, id="naive-is-utc"),
        pytest.param("2026-03-01T09:30:00Z", CREATED_AT, id="z"),
        pytest.param("2026-03-01T09:30:00.999999Z", CREATED_AT, id="fraction-cut-off"),
        pytest.param("1970-01-01T00:00:00Z", 0, id="zero-is-a-time"),
        pytest.param(None, None, id="null"),
        pytest.param("", None, id="empty"),
        pytest.param("yesterday", None, id="garbage"),
        pytest.param("2026-13-01T09:30:00Z", None, id="month-13"),
        pytest.param("2026-03-01T09:30:00+02:00", None, id="a-zone-that-nova-never-sends"),
        pytest.param(1772357400, None, id="number"),
        pytest.param(["2026-03-01T09:30:00Z"], None, id="list"),
    ],
)
def test_times_of_nova_are_utc(text: object, seconds: int | None) -> None:
    assert server_record.epoch(text) == seconds


def test_launch_time_is_when_the_server_was_first_up() -> None:
    assert server_record.launch_time(server()) == LAUNCHED_AT


@pytest.mark.parametrize("launched", [None, "", "soon"])
def test_launch_time_is_the_creation_until_the_server_was_up(launched: object) -> None:
    assert server_record.launch_time(server(launched=launched)) == CREATED_AT


def test_launch_time_of_a_down_cells_record_is_the_creation() -> None:
    assert server_record.launch_time(down_cell()) == CREATED_AT


def test_a_record_without_any_time_has_no_launch_time() -> None:
    assert server_record.launch_time({"id": "4711"}) is None


# Addresses

OTHER_V4 = {**V4, "addr": "192.0.2.9"}


@pytest.mark.parametrize(
    ("addresses", "networks", "expected"),
    [
        pytest.param({"grid": [V4]}, (), "10.0.0.7", id="the-only-one"),
        pytest.param({"grid": [V6, V4]}, (), "10.0.0.7", id="v4-before-v6"),
        pytest.param({"grid": [V6]}, (), "fd00::7", id="v6-alone"),
        pytest.param({"grid": [FLOATING, V4]}, (), "10.0.0.7", id="floating-passed-over"),
        pytest.param({"grid": [FLOATING]}, (), "", id="floating-is-never-private"),
        pytest.param({"a": [V4], "b": [OTHER_V4]}, (), "10.0.0.7", id="first-network-in-novas-order"),
        pytest.param({"a": [V4], "b": [OTHER_V4]}, ("b", "a"), "192.0.2.9", id="configured-order"),
        pytest.param({"a": [V4], "b": [V6]}, ("b",), "fd00::7", id="configured-network-before-v4"),
        pytest.param({"a": [V4], "b": []}, ("b", "a"), "10.0.0.7", id="configured-network-still-empty"),
        pytest.param({"a": [V4]}, ("b",), "10.0.0.7", id="configured-network-not-there"),
        pytest.param({"a": [OTHER_V4], "b": [FLOATING]}, ("b",), "192.0.2.9", id="configured-network-floating-only"),
        pytest.param({"a": [V6], "b": [V4]}, (), "10.0.0.7", id="v4-of-the-second-network"),
        pytest.param({"grid": [{"addr": "10.0.0.7", "version": 4}]}, (), "10.0.0.7", id="type-missing"),
        pytest.param({"grid": []}, (), "", id="empty-label"),
        pytest.param({}, (), "", id="building"),
        pytest.param(None, (), "", id="null"),
        pytest.param([], (), "", id="list"),
        pytest.param({"grid": None, "other": [None, {}, {"addr": ""}, {"addr": 7}, V4]}, (), "10.0.0.7", id="garbage"),
    ],
)
def test_private_address(addresses: object, networks: tuple[str, ...], expected: str) -> None:
    assert server_record.private_address(server(addresses=addresses), networks) == expected


def test_a_record_without_addresses_has_no_address() -> None:
    assert server_record.private_address(down_cell()) == ""
    assert server_record.public_address(down_cell()) == ""


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        pytest.param({"grid": [V4, FLOATING]}, "203.0.113.7", id="floating-v4"),
        pytest.param({"grid": [FLOATING_V6, FLOATING]}, "203.0.113.7", id="v4-before-v6"),
        pytest.param({"grid": [V4, FLOATING_V6]}, "2001:db8::7", id="floating-v6"),
        pytest.param({"grid": [V4, V6]}, "", id="fixed-is-never-public"),
        pytest.param({"grid": [{"addr": "203.0.113.7", "version": 4}]}, "", id="type-missing"),
    ],
)
def test_public_address_is_a_floating_ip(addresses: object, expected: str) -> None:
    assert server_record.public_address(server(addresses=addresses)) == expected


def test_the_address_that_a_user_typed_in_is_no_public_address() -> None:
    assert server_record.public_address(server(accessIPv4="203.0.113.9", accessIPv6="2001:db8::9")) == ""


# Faults and counts


def test_a_fault_is_one_line() -> None:
    record = failed(fault={"code": 500, "message": "No valid host\n  was found. "})
    assert server_record.fault(record) == "No valid host was found."


def test_a_fault_that_just_fits_is_whole() -> None:
    assert server_record.fault(failed(fault={"message": "x" * 500})) == "x" * 500


def test_a_long_fault_is_cut() -> None:
    found = server_record.fault(failed(fault={"message": "x" * 10_000}))
    assert len(found) == 500
    assert found.endswith("…")


@pytest.mark.parametrize("fault", [None, {}, [], "broken", {"message": None}, {"message": 5}, {"message": ""}])
def test_a_fault_without_a_message_is_none(fault: object) -> None:
    assert server_record.fault(failed(fault=fault)) == ""


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        pytest.param(["3", "3"], 3, id="agreed"),
        pytest.param(["2", "10"], 10, id="the-highest"),
        pytest.param([None, "4"], 4, id="one-says-so"),
        pytest.param(["10000"], 10000, id="the-most"),
        pytest.param(["-1"], 0, id="negative"),
        pytest.param(["many"], 0, id="word"),
        pytest.param(["²"], 0, id="not-ascii"),
        pytest.param(["100000"], 0, id="absurd"),
        pytest.param([3], 0, id="metadata-are-strings"),
        pytest.param([], 0, id="nobody"),
    ],
)
def test_expected_count_comes_from_metadata(counts: list[object], expected: int) -> None:
    assert server_record.requested_count([server(metadata={"hf_count": count}) for count in counts]) == expected


@pytest.mark.parametrize("metadata", [None, [], "3", {}])
def test_expected_count_survives_strange_metadata(metadata: object) -> None:
    assert server_record.requested_count([server(metadata=metadata)]) == 0


# Tags and states


@pytest.mark.parametrize(
    ("tags", "carried"),
    [
        pytest.param(["hostfactory", "hf:req-1"], True, id="among-others"),
        pytest.param(["hf:req-12"], False, id="a-longer-one"),
        pytest.param(["HF:REQ-1"], False, id="other-case"),
        pytest.param([], False, id="none"),
        pytest.param(None, False, id="null"),
        pytest.param("hf:req-1", False, id="a-string"),
    ],
)
def test_a_tag_is_carried_whole_or_not_at_all(tags: object, carried: bool) -> None:
    assert server_record.carries({"id": "4711", "tags": tags}, "hf:req-1") is carried


def test_a_new_server_carries_what_later_shows_whose_it_is() -> None:
    record = server(
        tags=server_record.tags("req-1", "bank"),
        metadata=server_record.metadata("req-1", "bank", "small", 0, 3, "net-ext"),
    )
    assert server_record.is_ours(record, "bank")
    assert server_record.is_of("req-1", record, "bank")
    assert not server_record.is_ours(record, "other")
    assert not server_record.is_of("req-2", record, "bank")
    assert not server_record.is_foreign(record, "bank")
    assert server_record.request_ids(record) == ["req-1"]
    assert server_record.template_id(record) == "small"
    assert server_record.requested_count([record]) == 3
    assert server_record.wants_floating_ip(record)


@pytest.mark.parametrize("tag", [*server_record.tags("req-1", "bank"), server_record.DRAIN_TAG, "hf-drain:120"])
def test_no_template_may_set_a_tag_of_hfstack(tag: str) -> None:
    with pytest.raises(ValidationError, match="another tag: hostfactory"):
        Template.model_validate(small(tags=[tag]))


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        pytest.param({"status": "ACTIVE"}, "ACTIVE", id="status"),
        pytest.param({"status": "ACTIVE", "OS-EXT-STS:task_state": "deleting"}, "ACTIVE/deleting", id="with-task"),
        pytest.param({}, "None", id="nothing"),
    ],
)
def test_the_state_has_a_name(record: dict[str, Any], expected: str) -> None:
    assert server_record.state(record) == expected


@pytest.mark.parametrize("status", [["ACTIVE"], {"status": "ACTIVE"}, 1.5])
def test_a_status_of_the_wrong_type_is_an_unheard_of_one(status: object) -> None:
    assert server_record.row(server(status=status)).acquire == ("executing", None)


# Any record whatever


@given(record=RECORDS, overdue=st.booleans())
def test_any_record_gives_an_entry_with_all_that_is_mandatory(record: dict[str, Any], overdue: bool) -> None:
    entry = status.acquired(record, Terms(("grid",), 0, 1800, overdue, {}))
    assert_is_machine(entry)
