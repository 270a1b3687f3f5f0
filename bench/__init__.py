"""Measurements; each file says in its first lines how it is run. The figures are in BENCHMARKS.md."""
