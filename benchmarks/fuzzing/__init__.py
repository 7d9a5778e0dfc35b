"""Mutated files for every reader of medkd: `benchmarks/fuzz.py` runs them."""
