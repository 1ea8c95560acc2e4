"""Write the SBOM: `python sbom.py VERSION PARTS TIME` prints the parts that inside.py found, as CycloneDX.

The Python of .cache/packaging must run this: it has the CycloneDX library.
"""

from __future__ import annotations

import json
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.component_evidence import ComponentEvidence, Occurrence
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

VERSION = SchemaVersion.V1_6


def document(version: str, parts: list[dict[str, Any]], seconds: int) -> str:
    """Return the SBOM of a frozen folder. The same parts give the same document."""
    top = Component(
        name="hfstack",
        version=version,
        type=ComponentType.APPLICATION,
        bom_ref="hfstack",
        licenses=[LicenseExpression("Apache-2.0")],
    )
    components = [component(part) for part in parts]
    contents = json.dumps([version, [(part["purl"], part["places"]) for part in parts]])
    bom = Bom(
        components=components,
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, contents),
        metadata=BomMetaData(component=top, timestamp=datetime.fromtimestamp(seconds, UTC)),
        dependencies=[Dependency(top.bom_ref, [Dependency(one.bom_ref) for one in components])],
    )
    written = json.loads(make_outputter(bom, OutputFormat.JSON, VERSION).output_as_string())
    for one in written["components"]:
        # the library keeps them in a set, in an order that depends on memory addresses
        one["evidence"]["occurrences"].sort(key=lambda occurrence: occurrence["location"])
    return json.dumps(written, indent=2, sort_keys=True) + "\n"


def component(part: dict[str, Any]) -> Component:
    """Return a part as a CycloneDX component, with its places as evidence."""
    return Component(
        name=part["name"],
        version=part["version"],
        type=ComponentType.LIBRARY,
        bom_ref=part["purl"],
        purl=PackageURL.from_string(part["purl"]),
        licenses=[LicenseExpression(part["licence"])],
        evidence=ComponentEvidence(occurrences=[Occurrence(location=place) for place in part["places"]]),
    )


def main() -> None:
    """Read the parts and write the document."""
    version, parts, seconds = sys.argv[1:]
    sys.stdout.write(document(version, json.loads(Path(parts).read_text("utf-8")), int(seconds)))


if __name__ == "__main__":
    main()
