"""Everything that talks to OpenStack."""
