"""The readers return what the writers got, and the format of the files does not change."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfstack.store.facts import (
    END_OF_TIME,
    AcquireRequest,
    Failed,
    Place,
    Planned,
    Ready,
    Returned,
    ReturnRequest,
    load_acquire,
    load_return,
    recorded_end,
)
from hfstack.store.request_list import load_recorded
from hfstack.store.write import (
    write_acquire_asked,
    write_created,
    write_ended,
    write_failed,
    write_gone,
    write_polled,
    write_ready,
    write_reaped,
    write_return_asked,
)
from tests.unit.records import REQUEST, RETURN

TIMES = st.floats(0, END_OF_TIME, exclude_max=True)
SECONDS = st.integers(0, 10**9)
TEXT = st.text(max_size=20)
KEYS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
"""Server names and ids that can be part of a file name."""

PLANS = st.lists(TEXT.map(Planned), max_size=4, unique=True).map(tuple)
PLACES = st.none() | st.builds(Place, TEXT, TEXT, TEXT)
ACQUIRES = st.builds(AcquireRequest, TIMES, SECONDS, PLANS, floating_network=TEXT, place=PLACES)
NAMED = st.builds(Returned, TEXT, TEXT.filter(bool), TEXT, SECONDS, TEXT)
RETURNED = st.builds(Returned, TEXT.filter(bool), TEXT, TEXT, SECONDS, TEXT) | NAMED
RETURNS = st.builds(ReturnRequest, TIMES, SECONDS, st.lists(RETURNED, max_size=4).map(tuple), place=PLACES)
READY = st.lists(st.builds(Ready, KEYS, TEXT, TEXT, SECONDS), max_size=3)
FAILURES = st.lists(
    st.builds(Failed, KEYS, TEXT.filter(bool), TEXT, TEXT, SECONDS, TEXT),
    max_size=3,
    unique_by=lambda failed: failed.key,
)
IDS = st.frozensets(KEYS, max_size=4)

PLACE = Place("p-1", "RegionOne", "nova.bank.test:8774")
FAILURE = Failed("hf-1", "id-1", "hf-one", "10.0.0.7", 1772357420, "the server is in ERROR")

PLAN = AcquireRequest(1772357400.5, 900, (Planned("hf-1"),))
LEAVING = ReturnRequest(1772357400.5, 600, (Returned("id-1", "hf-1", "10.0.0.7", 1772357420),))


@pytest.fixture(scope="module", autouse=True)
def _no_fsync() -> Iterator[None]:
    """Do not wait for the disk: these tests write thousands of files."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: None)
        yield


def dateless(request: AcquireRequest | ReturnRequest | None) -> AcquireRequest | ReturnRequest | None:
    """Return a request without the dates of its files, which no writer decides."""
    if isinstance(request, AcquireRequest):
        return request._replace(recorded_at=0, created_at=None)
    return request and request._replace(recorded_at=0)


@given(
    request=ACQUIRES,
    data=st.data(),
    replaced=IDS,
    failures=FAILURES,
    ready=READY,
    polled=st.booleans(),
    reaped=TEXT,
)
def test_a_request_is_read_as_it_was_written(
    request: AcquireRequest,
    data: st.DataObject,
    replaced: frozenset[str],
    failures: list[Failed],
    ready: list[Ready],
    polled: bool,
    reaped: str,
) -> None:
    with TemporaryDirectory() as workdir:
        write_acquire_asked(workdir, REQUEST, request, "small")
        assert dateless(load_acquire(workdir, REQUEST)) == request
        answers = [data.draw(st.tuples(TEXT, TEXT, TEXT)) for _ in request.machines]
        machines = tuple(Planned(one.name, *answer) for one, answer in zip(request.machines, answers, strict=True))
        write_created(workdir, REQUEST, machines, replaced)
        if polled:
            write_polled(workdir, REQUEST, request.requested_at)
        for failed in failures:
            write_failed(workdir, REQUEST, failed)
        failures.sort(key=lambda failed: f"failed-{failed.key}.json")
        if ready:
            write_ready(workdir, REQUEST, ready)
        expected = request._replace(machines=machines, replaced=replaced, polled=polled, failed=tuple(failures))
        expected = expected._replace(ready=tuple(ready), reaped=reaped if not polled else "")
        if reaped and not polled:
            write_reaped(workdir, REQUEST, request.requested_at, reaped)
            expected = expected._replace(polled=True)
        assert dateless(load_acquire(workdir, REQUEST)) == expected


@given(request=RETURNS, gone=IDS)
def test_a_return_is_read_as_it_was_written(request: ReturnRequest, gone: frozenset[str]) -> None:
    with TemporaryDirectory() as workdir:
        write_return_asked(workdir, RETURN, request)
        assert dateless(load_return(workdir, RETURN)) == request
        for machine_id in gone:
            write_gone(workdir, RETURN, machine_id, "Nova answers 404 itemNotFound", request.requested_at)
        assert dateless(load_return(workdir, RETURN)) == request._replace(gone=gone)


@given(answered=st.frozensets(TEXT, max_size=4), ended_at=TIMES)
def test_an_end_is_read_as_it_was_written(answered: frozenset[str], ended_at: float) -> None:
    with TemporaryDirectory() as workdir:
        write_acquire_asked(workdir, REQUEST, PLAN, "small")
        write_return_asked(workdir, RETURN, LEAVING)
        for request_id, request in ((REQUEST, PLAN), (RETURN, LEAVING)):
            write_failed(workdir, request_id, FAILURE)
            write_failed(workdir, request_id, FAILURE._replace(key="hf-late"))
            write_ended(workdir, request_id, "complete", answered, ended_at, [FAILURE.key])
            expected = request._replace(ended=True)
            if isinstance(expected, AcquireRequest):
                expected = expected._replace(answered_ids=answered, failed=(FAILURE,))
                assert recorded_end(workdir, request_id) == (answered, frozenset({FAILURE.key, "hf-late"}))
            assert dateless(load_recorded(workdir, request_id).request) == expected


# The files on disk, byte by byte

FILES: list[tuple[Callable[..., bool], tuple[Any, ...], str, bytes]] = [
    (
        write_acquire_asked,
        (PLAN, "small"),
        "asked.json",
        b'{"asked": 1772357400.5, "templateId": "small", "names": ["hf-1"], "requestTimeout": 900}',
    ),
    (
        write_acquire_asked,
        (PLAN._replace(floating_network="net-ext"), "small"),
        "asked.json",
        (
            b'{"asked": 1772357400.5, "templateId": "small", "names": ["hf-1"], "requestTimeout": 900, '
            b'"floatingNetwork": "net-ext"}'
        ),
    ),
    (
        write_created,
        ([Planned("hf-1", "id-1"), Planned("hf-2", "", "Quota exceeded \u2026")], ["id-7"]),
        "created.json",
        (
            b'{"machines": [{"name": "hf-1", "machineId": "id-1", "message": ""}, '
            b'{"name": "hf-2", "machineId": "", "message": "Quota exceeded \\u2026"}], "replaced": ["id-7"]}'
        ),
    ),
    (write_polled, (1772357401.25,), "polled.json", b'{"polled": 1772357401.25}'),
    (
        write_failed,
        (FAILURE,),
        "failed-hf-1.json",
        (
            b'{"machineId": "id-1", "name": "hf-one", "privateIpAddress": "10.0.0.7", "launchtime": 1772357420, '
            b'"message": "the server is in ERROR"}'
        ),
    ),
    (
        write_return_asked,
        (LEAVING,),
        "asked.json",
        (
            b'{"asked": 1772357400.5, "returnTimeout": 600, "machines": [{"machineId": "id-1", "name": "hf-1", '
            b'"privateIpAddress": "10.0.0.7", "launchtime": 1772357420}]}'
        ),
    ),
    (
        write_gone,
        ("id-1", "Nova shows it as DELETED", 1772357430.0),
        "gone-id-1.json",
        b'{"machineId": "id-1", "gone": 1772357430.0, "how": "Nova shows it as DELETED"}',
    ),
    (
        write_ended,
        ("complete_with_error", ["id-1", "hf-2"], 1772357440.0, ["hf-1"]),
        "ended.json",
        (
            b'{"ended": 1772357440.0, "status": "complete_with_error", "machineIds": ["id-1", "hf-2"], '
            b'"failed": ["hf-1"]}'
        ),
    ),
    (
        write_acquire_asked,
        (PLAN._replace(place=PLACE), "small"),
        "asked.json",
        (
            b'{"asked": 1772357400.5, "templateId": "small", "names": ["hf-1"], "requestTimeout": 900, '
            b'"place": {"project": "p-1", "region": "RegionOne", "compute": "nova.bank.test:8774"}}'
        ),
    ),
    (
        write_return_asked,
        (ReturnRequest(1772357400.5, 600, (Returned("", "hf-1", "", 7, "two have the name"),), place=PLACE),),
        "asked.json",
        (
            b'{"asked": 1772357400.5, "returnTimeout": 600, "machines": [{"machineId": "", "name": "hf-1", '
            b'"privateIpAddress": "", "launchtime": 7, "message": "two have the name"}], '
            b'"place": {"project": "p-1", "region": "RegionOne", "compute": "nova.bank.test:8774"}}'
        ),
    ),
    (
        write_reaped,
        (1772357401.25, "not polled in time"),
        "polled.json",
        b'{"polled": 1772357401.25, "reaped": "not polled in time"}',
    ),
    (
        write_ready,
        ([Ready("id-1", "hf-1", "10.0.0.7", 1772357420)],),
        "ready-id-1.json",
        (
            b'{"machines": [{"machineId": "id-1", "name": "hf-1", "privateIpAddress": "10.0.0.7", '
            b'"launchtime": 1772357420}]}'
        ),
    ),
    (
        write_created,
        ([Planned("hf-1", unclear="Nova failed: 500 \u2026"), Planned("hf-2", "id-2")], []),
        "created.json",
        (
            b'{"machines": [{"name": "hf-1", "machineId": "", "message": "", "unclear": "Nova failed: 500 \\u2026"}, '
            b'{"name": "hf-2", "machineId": "id-2", "message": ""}], "replaced": []}'
        ),
    ),
]

ENDED_OF_THE_FIRST_RELEASE = b'{"ended": 1772357440.0, "status": "complete_with_error", "machineIds": ["id-1", "hf-2"]}'


@pytest.mark.parametrize(("write", "fact", "name", "content"), FILES)
def test_the_files_keep_their_format(
    tmp_path: Path, write: Callable[..., bool], fact: tuple[Any, ...], name: str, content: bytes
) -> None:
    assert write(str(tmp_path), REQUEST, *fact) is True
    written = [(path.name, path.read_bytes()) for path in (tmp_path / "requests" / REQUEST).iterdir()]
    assert written == [(name, content)]
    assert write(str(tmp_path), REQUEST, *fact) is False, "a fact is written once"


def test_the_format_of_the_first_release_is_read(tmp_path: Path) -> None:
    for request_id, files in ((REQUEST, FILES[1:5]), (RETURN, FILES[5:7])):
        folder = tmp_path / "requests" / request_id
        folder.mkdir(parents=True)
        for _, _, name, content in files:
            (folder / name).write_bytes(content)
        (folder / "ended.json").write_bytes(ENDED_OF_THE_FIRST_RELEASE)
    assert dateless(load_acquire(str(tmp_path), REQUEST)) == AcquireRequest(
        1772357400.5,
        900,
        (Planned("hf-1", "id-1"),),
        (FAILURE,),
        polled=True,
        ended=True,
        answered_ids=frozenset({"id-1", "hf-2"}),
        replaced=frozenset({"id-7"}),
        floating_network="net-ext",
    )
    assert dateless(load_return(str(tmp_path), RETURN)) == LEAVING._replace(gone=frozenset({"id-1"}), ended=True)
