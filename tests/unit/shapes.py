"""Records as malformed as JSON allows, and what every answer must comply with all the same."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from pydantic import TypeAdapter

from hfstack import schema
from tests.unit.records import FLOATING, STATUSES, TAG, V4, V6, server_id

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)

TIMES = st.sampled_from(["2026-03-01T09:30:00Z", "2026-03-01T09:30:20.516729", "2026-02-30T00:00:00Z"])
TASKS = st.sampled_from([None, "spawning", "deleting", "powering-off", "powering-on", "image_backup"])
ADDRESS = st.sampled_from([V4, V6, FLOATING, {"addr": "10.0.0.9"}]) | JSON
ADDRESSES = st.dictionaries(st.sampled_from(["grid", "storage", ""]), st.lists(ADDRESS, max_size=3) | JSON, max_size=2)

RECORDS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"id": st.integers(1, 9).map(server_id)},
    optional={
        "name": st.text(max_size=80) | JSON,
        "status": st.sampled_from([*STATUSES, "ARCHIVED"]) | JSON,
        "created": TIMES | JSON,
        "metadata": st.dictionaries(st.sampled_from(["hf_hostname", "hf_count"]), st.text(max_size=4) | JSON) | JSON,
        "addresses": ADDRESSES | JSON,
        "tags": st.sampled_from([["hostfactory", TAG], [], ["hf:req-other"]]) | JSON,
        "locked": st.booleans() | JSON,
        "fault": st.fixed_dictionaries({"message": st.text() | JSON}) | JSON,
        "OS-EXT-STS:task_state": TASKS | JSON,
        "OS-EXT-STS:vm_state": st.sampled_from(["active", "paused", "building"]) | JSON,
        "OS-EXT-STS:power_state": st.sampled_from([0, 1, 3, 4, 6, 7]) | JSON,
        "OS-SRV-USG:launched_at": TIMES | JSON,
    },
)
"""Servers with an id, whose other fields may be missing or have any value."""

MACHINE = TypeAdapter(schema.Machine)
ANSWER = TypeAdapter(schema.RequestStatus)


def assert_is_machine(entry: schema.Machine) -> None:
    """Check one entry of `machines` against HostFactory's page."""
    MACHINE.validate_python(entry, strict=True, extra="forbid")
    assert entry["machineId"]
    assert entry["name"]
    assert entry["result"] in {"executing", "succeed", "fail"}
    assert entry.get("status", "running") in {"running", "stopped", "stopping", "shutting-down", "terminated"}
    assert entry["result"] != "fail" or entry["message"]
    assert "publicIpAddress" not in entry or entry["publicIpAddress"]


def assert_is_answer(found: schema.RequestStatus) -> None:
    """Check the answer to one request id against HostFactory's page."""
    ANSWER.validate_python(found, strict=True, extra="forbid")
    assert found["status"] in {"running", "complete", "complete_with_error"}
    for entry in found["machines"]:
        assert_is_machine(entry)
