"""`python -m hfstack COMMAND …`: the source tree's way to call each of the programs."""

import gc
import os

# one answer, and the process is over: nothing is worth collecting, or taking down piece by piece
gc.disable()

from hfstack.cli import main  # noqa: E402

main(leave=os._exit)
