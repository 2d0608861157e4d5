"""Moves a table to files and back, without knowing Airflow or AWS clients."""
