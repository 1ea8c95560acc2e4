"""The work directory: the records of requests (`requests/`) and what later calls reuse (`cache/`)."""
