"""`python -m tests.bench`: what the programs cost, measured as whole processes. docs/performance.md says how."""
