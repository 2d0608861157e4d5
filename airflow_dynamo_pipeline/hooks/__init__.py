"""Airflow connections turned into clients and ports."""
