"""Load a lookup table beside the one that is read, and switch its readers over all at once.

### What it does

Press Trigger: the form asks for the table, the place for work files, and how long a generation lives.
`load` runs the query of the connection `shop` and writes every row under a new generation:
`<generation>#<key>`. Readers still see the generation before. When all rows are there, one conditional write
flips the pointer item `#current`, and readers that ask with `generations=True` see the new one. Old
generations go by time to live; nothing is deleted by the load.

### What it needs

The connection `shop`, to any database that Airflow's providers for SQL know, and `aws_default` with the
permissions that `dynamo-pipeline iam-policy lookup --generations` prints. The table's partition key is
`product_id`, of type S, and time to live is enabled on `gone_at`.

### Results

* `load` returns the name of the generation and how many rows were written.
* Readers never see half of a load. If it fails, they stay with the generation before.

### If it fails

The first line of the error says what to do. Then press Clear on the task. A generation that was not
flipped to is never read, and goes by time to live. A generation that is not replaced in time expires:
readers then raise an error instead of finding nothing.
"""

from __future__ import annotations

import pendulum

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG

from airflow_dynamo_pipeline.dags import params
from airflow_dynamo_pipeline.operators.lookup import SqlToDynamoDBOperator

# --8<-- [start:generations]
with DAG(
    "lookup_generations",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    params={
        "table_name": params.table_name("product_generations", "The lookup table; it is written to"),
        "s3_uri": params.s3_uri(
            "s3://backups/lookups", "Work on S3", "Change sets and records of all loads go below this prefix"
        ),
        "units_per_second": params.units_per_second(100, kind="write"),
        "generation_days": params.whole_number(
            8, "Days that a generation lives", "Longer than the time between two loads", least=1
        ),
    },
) as dag:
    load = SqlToDynamoDBOperator(
        task_id="load",
        conn_id="shop",
        sql="SELECT product_id, name, price FROM products",
        table_name="{{ params.table_name }}",
        key_columns=["product_id"],
        s3_uri="{{ params.s3_uri }}",
        units_per_second="{{ params.units_per_second }}",
        generation_days="{{ params.generation_days }}",
        ttl_attribute="gone_at",
        retries=2,
    )
# --8<-- [end:generations]
