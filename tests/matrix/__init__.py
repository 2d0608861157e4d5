"""The same wheel under every MWAA version's own constraints: ``python -m tests.matrix [version ...]``."""
