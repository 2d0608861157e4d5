"""Query results as DynamoDB lookup tables, without Airflow."""
