"""docs/states.md holds the table that is in the program."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests import ROOT

PAGE = ROOT / "docs" / "states.md"


def test_the_table_is_the_one_in_the_program(tmp_path: Path) -> None:
    copy = shutil.copy(PAGE, tmp_path)
    subprocess.run([sys.executable, "build/state_table.py", copy], cwd=ROOT, check=True)
    assert Path(copy).read_text("utf-8") == PAGE.read_text("utf-8"), "run make schemas"
