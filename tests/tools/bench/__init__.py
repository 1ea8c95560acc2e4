"""`python -m tests.tools.bench`: what the programs cost, measured as whole processes. docs/performance.md says how."""
