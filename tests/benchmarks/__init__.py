"""Side by side benchmarks against the same synthetic endpoint: ``python -m tests.benchmarks``."""
