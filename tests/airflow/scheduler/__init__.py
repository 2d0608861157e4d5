"""A running Airflow: scheduler, triggerer and the rest as processes, and tests that kill some of them."""
