"""The ``dynamo-pipeline`` command: the same engine without Airflow."""
