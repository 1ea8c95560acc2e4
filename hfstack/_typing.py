"""`NamedTuple` and `TYPE_CHECKING` without loading `typing`, which takes as long as the rest of a poll.

Type checkers see the original. Fields and defaults are those of the class body. The annotations must not be evaluated
(`from __future__ import annotations`).
"""

from __future__ import annotations

from collections import namedtuple

__all__ = ["TYPE_CHECKING", "NamedTuple"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple
else:

    class Meta(type):
        """Turns a class body with annotations into a tuple with named fields."""

        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, body)
            fields = body.pop("__annotations__")
            defaults = [body.pop(field) for field in fields if field in body]
            made = namedtuple(  # noqa: PYI024 - typing.NamedTuple uses it, too
                name, fields, defaults=defaults, module=body["__module__"]
            )
            for key, value in body.items():
                setattr(made, key, value)
            return made

    class NamedTuple(metaclass=Meta):
        """A tuple whose fields have names."""
