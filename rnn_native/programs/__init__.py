"""Whole programs: the Kaggle competition, the machine check, benchmarks; only `cli` imports it."""
