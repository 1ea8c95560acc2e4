"""What the tests and the benchmarks stand on: a real OpenStack on loopback, and whole programs measured."""
