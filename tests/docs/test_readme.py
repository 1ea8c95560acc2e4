"""The README says what the program does."""

from __future__ import annotations

from pathlib import Path

from hfstack import states
from hfstack.config import settings, template_file
from hfstack.config.template import Template
from hfstack.environment import Environment
from tests import ROOT

README = ROOT / "README.md"


def test_the_mapping_table_is_the_one_in_the_program() -> None:
    text = README.read_text(encoding="utf-8")
    found = text[text.index("<!-- states -->\n") + len("<!-- states -->\n") : text.index("<!-- /states -->")]
    assert found == table()


def test_every_setting_is_described_with_its_default() -> None:
    text = README.read_text(encoding="utf-8")
    for name in settings.Settings.model_fields:
        assert f"\n| `{name}` |" in text


def test_every_key_of_a_template_is_described() -> None:
    text = README.read_text(encoding="utf-8")
    for name in Template.model_fields:
        assert f"\n| `{name}` |" in text


def test_the_readmes_template_is_valid(tmp_path: Path) -> None:
    text = README.read_text(encoding="utf-8")
    start = text.index('    {"templates"')
    (tmp_path / "openstackprov_templates.json").write_text(text[start : text.index("\n\n", start)], encoding="utf-8")
    (tmp_path / "worker.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    environment = Environment("bank", str(tmp_path), "", "", "", "", 0, 0, "")
    assert template_file.find(environment, "worker").userData == "#!/bin/sh\n"


def table() -> str:
    """Write the state table as the README shows it."""
    lines = ["| Nova's status | acquire | return | message |", "|---|---|---|---|"]
    lines += [
        f"| {matched(row)} | {outcome(row.acquire)} | {outcome(row.returned)} | {row.why} |" for row in states.STATES
    ]
    return "\n".join(lines) + "\n"


def matched(row: states.Row) -> str:
    """Say what a row matches."""
    words = "any other" if row is states.UNHEARD_OF else "any"
    status = words if row.statuses is states.ANY else ", ".join(sorted(map(str, row.statuses)))
    groups = {
        "task": row.task_states,
        "vm_state": row.vm_states,
        "power_state": row.power_states,
    }
    narrowed = [f"{name} {', '.join(sorted(map(str, values)))}" for name, values in groups.items() if values]
    return f"{status} ({'; '.join(narrowed)})" if narrowed else status


def outcome(pair: states.Outcome) -> str:
    """Say a result and a machine status."""
    result, status = pair
    return f"{result} / {status}" if status else result
