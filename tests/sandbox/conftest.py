"""The sandbox that each test talks to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox.client import Client


@pytest.fixture
def client() -> Iterator[Client]:
    """A client of a fresh sandbox."""
    with Client() as client:
        yield client
