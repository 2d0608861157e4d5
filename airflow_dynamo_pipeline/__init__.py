"""Throttled, resumable DynamoDB exports for Apache Airflow.

This module runs first on Spark executors and during Airflow's provider discovery,
so it holds the version and imports nothing.
"""

__version__ = "0.1.0"
