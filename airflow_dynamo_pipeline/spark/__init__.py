"""Exports and imports as Spark jobs: one range of the work for each partition, by the same engine."""
