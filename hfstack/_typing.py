"""`NamedTuple` as `typing` has it, without loading `typing`: that takes as long as all the rest of a poll.

For type checkers it is the real one. Fields and defaults are those of the class body; the annotations must not be
evaluated (`from __future__ import annotations`).
"""

from __future__ import annotations

from collections import namedtuple

__all__ = ["TYPE_CHECKING", "NamedTuple"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple
else:

    class Meta(type):
        """Makes of a class body with annotations a tuple with named fields."""

        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, body)
            fields = body.pop("__annotations__")
            defaults = [body.pop(field) for field in fields if field in body]
            made = namedtuple(  # noqa: PYI024 - it is what stands behind the other
                name, fields, defaults=defaults, module=body["__module__"]
            )
            for key, value in body.items():
                setattr(made, key, value)
            return made

    class NamedTuple(metaclass=Meta):
        """A tuple whose fields have names."""
