"""What the frozen executable runs."""

from hfstack.entry import main

main()
