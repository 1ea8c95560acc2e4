"""`python -m hfstack COMMAND …` runs a command from source; the frozen executables run this file too."""

import gc
import os

# the process ends after one answer: neither collecting garbage nor an orderly shutdown is worth its time
gc.disable()

from hfstack.cli import main  # noqa: E402

main(leave=os._exit)
