"""What Spark calls on its executors, and what they need before anything else of the package is imported.

Only the standard library is imported here: the other dependencies may lie in an archive that Spark unpacks
beside the task, and must be found first.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

DEPENDENCIES = "deps"  # what the archive is unpacked to: spark.archives=s3://.../deps-....zip#deps


def find_dependencies(*roots: str) -> None:
    """Let Python find the unpacked archive, before what the machine itself has; without one, do nothing."""
    for root in (".", *roots):
        folder = Path(root, DEPENDENCIES).resolve()
        if folder.is_dir() and str(folder) not in sys.path:
            sys.path.insert(0, str(folder))


def run_partition(job: str, failures: int, number: int, _items: Iterable[object]) -> Iterator[str]:
    """Bring one range to its end; yields one line of JSON, what it holds or why it failed.

    ``job`` is the job's document, ``failures`` how often Spark lets a task fail: what a retry can help is
    raised until the last of these attempts.
    """
    find_dependencies()
    from pyspark import TaskContext

    from airflow_dynamo_pipeline.spark.attempt import Attempt

    context = TaskContext.get()
    failed_before = context.attemptNumber() if context else 0
    yield Attempt(job, number, is_last=failed_before + 1 >= failures).run()
