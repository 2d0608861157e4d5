"""Messages to people by SNS: a task or a run is done, has failed, or is late.

The sender is the amazon provider's ``SnsNotifier``; what stands here is what it says. The same notice serves
a task and a whole DAG, whose callbacks know less: what is not known there is called "unknown".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.providers.amazon.aws.notifications.sns import SnsNotifier

from airflow_dynamo_pipeline.airflow_versions import late_settings, reads_xcom_of_runs, run_page
from airflow_dynamo_pipeline.dags.notice_templates import DONE, FAILED, LATE, Notice

__all__ = ["failure_notice", "lateness_settings", "success_notice"]


def success_notice(
    target_arn: str,
    *,
    table_name: str | None = None,
    task_id: str | None = None,
    aws_conn_id: str | None = "aws_default",
    region_name: str | None = None,
) -> SnsNotifier:
    """A notifier for ``on_success_callback`` of a task or a DAG.

    Its message has the table, the run, the counts, the manifest and a link to the log. Make one for each
    task, since Airflow renders a notifier once and for all. If SNS refuses, the log has the error; the state
    of the task does not change.

    :param target_arn: topic (or endpoint) of SNS; templated.
    :param table_name: the table to name; default: the record's, the task's, then the param ``table_name``.
    :param task_id: the task whose record has the counts and the manifest; default: the task itself. Name
        one in a DAG's callback, which has no task of its own. Airflow 3.0 shows no records to those.
    :param aws_conn_id: connection of the amazon provider; default ``aws_default``.
    :param region_name: region of the topic; default: the connection's.
    """
    return SnsNotifier(
        target_arn=target_arn,
        aws_conn_id=aws_conn_id,
        region_name=region_name,
        **_rendered(DONE, table_name, task_id),
    )


def failure_notice(
    target_arn: str,
    *,
    table_name: str | None = None,
    task_id: str | None = None,
    aws_conn_id: str | None = "aws_default",
    region_name: str | None = None,
) -> SnsNotifier:
    """A notifier for ``on_failure_callback`` (or ``on_retry_callback``) of a task or a DAG.

    Its first line has the first line of the error and what to do; the attempt, the table, the run and a link
    to the log follow. Parameters and trouble with SNS are as in ``success_notice``.
    """
    return SnsNotifier(
        target_arn=target_arn,
        aws_conn_id=aws_conn_id,
        region_name=region_name,
        **_rendered(FAILED, table_name, task_id),
    )


def lateness_settings(
    target_arn: str,
    after: timedelta,
    *,
    table_name: str | None = None,
    aws_conn_id: str | None = "aws_default",
    region_name: str | None = None,
) -> Mapping[str, Any]:
    """Arguments of ``DAG`` that send a notice when a run has not finished so long after it was queued.

    Airflow 3.1 and newer: ``{"deadline": DeadlineAlert}``. With the amazon provider 9.15.0 or newer and its
    extra ``aiobotocore`` the triggerer sends the notice. Without the extra the executor does, from Airflow
    3.2 on; with an older provider from Airflow 3.3 on. Where neither can: ``{}``, and a warning in the log.
    Airflow 2.11: ``{"sla_miss_callback": notifier}``; it is called for tasks with ``sla`` that are late,
    counted from the end of the data interval of scheduled runs; ``after`` is not used.
    Airflow 3.0 has neither: ``{}``.
    Write ``DAG(..., **lateness_settings(topic, timedelta(hours=2)))``.

    :param target_arn: topic of SNS; not templated.
    :param after: how long a run may take, waiting included.
    :param table_name: the table to name; default: the run's param ``table_name`` if it was given.
    :param aws_conn_id: connection of the amazon provider; default ``aws_default``.
    :param region_name: region of the topic; default: the connection's.
    """
    sent = {"target_arn": target_arn, "aws_conn_id": aws_conn_id, "region_name": region_name}
    return late_settings(SnsNotifier, {**sent, **_rendered(LATE, table_name, None)}, after)


def _rendered(notice: Notice, table_name: str | None, task_id: str | None) -> dict[str, Any]:
    """The templates of subject and message with what is known when the DAG is read."""
    known = {
        "TABLE": table_name,
        "TASK": task_id,
        "READS_RECORD": task_id is not None and reads_xcom_of_runs(),
        "RUN_PAGE": run_page(),
    }
    said = "".join(
        f"{{%- set {name} = {json.dumps(value) if isinstance(value, str) else value} -%}}\n"
        for name, value in known.items()
    )
    return {"subject": said + notice.subject, "message": said + notice.message}
