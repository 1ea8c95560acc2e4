"""Write the JSON Schema of each command's answer: `python build/schemas.py [FOLDER]`, by default docs/schemas/.

The types are those of hfstack/schema.py.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, with_config
from pydantic.json_schema import GenerateJsonSchema
from typing_extensions import is_typeddict

from hfstack import schema

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "schemas"


class Schema(GenerateJsonSchema):
    """Omits the titles that pydantic makes from keys: `Machineid` says nothing."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - pydantic's signature
        """Leave keys without a title."""
        return False


def main() -> None:
    """Write one file per command."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for shape in vars(schema).values():
        if is_typeddict(shape):
            # the string below a key in schema.py becomes its description
            with_config(ConfigDict(use_attribute_docstrings=True))(shape)
    for command, shape in schema.ANSWERS.items():
        (folder / f"{command}.json").write_bytes(text(command, shape).encode())


def text(command: str, shape: type) -> str:
    """Return the contents of a schema's file."""
    schema = TypeAdapter[object](shape).json_schema(schema_generator=Schema, mode="serialization")
    schema |= {"$schema": Schema.schema_dialect, "title": f"Answer of {command}"}
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
