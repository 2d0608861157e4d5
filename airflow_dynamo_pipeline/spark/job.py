"""The file for spark-submit: ``spark-submit --py-files PACKAGE.zip job.py '<the job as JSON, or s3://...>'``.

It runs before the package's dependencies are found: the standard library and pyspark are all there is.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Run the job that the only argument is, or names; 0 when all of it is done."""
    from pyspark import SparkConf, SparkContext, SparkFiles

    from airflow_dynamo_pipeline.spark.executor import find_dependencies

    context = SparkContext.getOrCreate(SparkConf().setAppName("dynamo-pipeline"))
    find_dependencies(SparkFiles.getRootDirectory())

    from airflow_dynamo_pipeline.spark.driver import run_and_tell

    try:
        return run_and_tell(context, sys.argv[1:])
    finally:
        context.stop()


if __name__ == "__main__":
    sys.exit(main())
