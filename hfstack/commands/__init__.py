"""One file for each HostFactory script, named after it."""
