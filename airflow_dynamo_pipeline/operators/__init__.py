"""Operators: they keep their arguments, build a request, call the engine and return a summary."""
