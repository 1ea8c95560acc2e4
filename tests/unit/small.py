"""A minimal template."""

from __future__ import annotations

from typing import Any

ATTRIBUTES = {"type": ["String", "X86_64"], "ncpus": ["Numeric", "4"], "nram": ["Numeric", "8192"]}


def small(**changes: Any) -> dict[str, Any]:
    """Return a valid template; a change to `None` leaves the key out."""
    template = {
        "templateId": "small",
        "maxNumber": 10,
        "attributes": ATTRIBUTES,
        "image": "debian-12",
        "flavor": "m1.small",
        "networks": ["grid"],
    }
    return {key: value for key, value in {**template, **changes}.items() if value is not None}
