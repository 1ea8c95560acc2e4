"""`python -m hfstack COMMAND …`: the source tree's way to call each of the programs."""

from .entry import main

main()
