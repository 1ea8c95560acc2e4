"""The frozen program asks the cloud as often as the source tree does: after the first call of a site, once a poll."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.http.polled import COLD, WARM, polled


@pytest.mark.usefixtures("frozen")
def test_the_second_call_makes_one_request(tmp_path: Path) -> None:
    with polled(tmp_path, servers=2, program="frozen") as one:
        assert [one.poll(), one.poll(), one.poll()] == [COLD, WARM, WARM]
