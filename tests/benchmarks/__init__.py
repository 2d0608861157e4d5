"""Side by side export benchmark against the same synthetic endpoint: ``python -m tests.benchmarks``."""
