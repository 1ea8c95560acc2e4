"""One file per HostFactory script, named after it."""
