"""`NamedTuple` behaves as that of `typing` does for the same class body."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from hfstack import _typing

BODY = '''
from __future__ import annotations
from collections.abc import Mapping

class Point(NamedTuple):
    """A place on the map."""

    name: str
    """What it is called."""
    tags: Mapping[str, None] | None = None
    height: float = 7.5

    FLOOR = 0

    def above(self, other: Point) -> bool:
        """Tell which one is higher."""
        return self.height > other.height

    @property
    def upper(self) -> str:
        return self.name.upper()

    @classmethod
    def sea(cls) -> Point:
        return cls("sea", height=cls.FLOOR)

    @staticmethod
    def unit() -> str:
        return "m"

    def __str__(self) -> str:
        return f"{self.name} at {self.height}"

class Bare(NamedTuple):
    only: Undefined
'''


def made(base: type, kind: str) -> Any:
    """Return a class with this body and one of the two bases."""
    names: dict[str, Any] = {"NamedTuple": base, "__name__": "atlas"}
    exec(BODY, names)
    return names[kind]


def typings() -> Any:
    """Return the original, which type checkers cannot distinguish from hfstack's."""
    import typing

    return typing.NamedTuple


@pytest.fixture(params=["named", "typing"])
def base(request: pytest.FixtureRequest) -> Any:
    """Each of the two, which must behave alike."""
    return _typing.NamedTuple if request.param == "named" else typings()


def test_they_differ() -> None:
    assert _typing.NamedTuple is not typings()
    assert _typing.TYPE_CHECKING is False


def test_fields_defaults_and_names(base: Any) -> None:
    point = made(base, "Point")
    assert point._fields == ("name", "tags", "height")
    assert point._field_defaults == {"tags": None, "height": 7.5}
    assert (point.__name__, point.__qualname__, point.__module__) == ("Point", "Point", "atlas")
    assert point.__doc__ == "A place on the map."
    assert point.__bases__ == (tuple,)
    assert made(base, "Bare")._field_defaults == {}


def test_values(base: Any) -> None:
    point = made(base, "Point")
    top = point("top", height=2962)
    assert (top.name, top.tags, top.height) == ("top", None, 2962) == top
    assert tuple(top) == point("top", None, 2962) == point._make(["top", None, 2962])
    assert hash(top) == hash(point("top", None, 2962.0))
    assert top != point("top")
    name, *_ = top
    assert (name, len(top), top[2]) == ("top", 3, 2962)
    assert repr(top) == "Point(name='top', tags=None, height=2962)"
    assert top._asdict() == {"name": "top", "tags": None, "height": 2962}


def test_replaced_fields(base: Any) -> None:
    top = made(base, "Point")("top")
    assert top._replace(height=1, name="hill") == ("hill", None, 1)
    assert top == ("top", None, 7.5)
    with pytest.raises((ValueError, TypeError)):
        top._replace(depth=1)


def test_missing_unknown_and_assigned_fields(base: Any) -> None:
    point = made(base, "Point")
    for arguments, keywords in (((), {}), (("a", None, 1, 2), {}), (("a",), {"depth": 1})):
        with pytest.raises(TypeError):
            point(*arguments, **keywords)
    with pytest.raises(AttributeError):
        point("top").name = "other"
    with pytest.raises(AttributeError):
        point("top").depth = 1


def test_methods_properties_and_constants(base: Any) -> None:
    point = made(base, "Point")
    assert point("top", height=2).above(point("hill", height=1))
    assert point.above.__doc__ == "Tell which one is higher."
    assert (point("top").upper, point.sea(), point.unit(), point.FLOOR) == ("TOP", ("sea", None, 0), "m", 0)
    assert str(point("top", height=1)) == "top at 1"


def test_copies(base: Any) -> None:
    top = made(base, "Point")("top", {"peak": None})
    twin = copy.deepcopy(top)
    assert (twin, type(twin)) == (top, type(top))
    assert twin.tags is not top.tags


def test_hfstacks_tuples_use_it() -> None:
    from hfstack.environment import Environment, read_environment
    from hfstack.store.token_cache import CachedAccess

    environment = read_environment({"HF_PROVIDER_NAME": "bank"})
    assert isinstance(environment, Environment)
    assert isinstance(environment, tuple)
    assert CachedAccess._fields == ("token", "expires", "endpoints", "cafile", "settings", "project", "region")
    assert CachedAccess.__doc__ == "What a call needs to reach the cloud without a login."
