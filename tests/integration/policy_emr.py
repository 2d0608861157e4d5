"""What is not an operator of ours at work: EMR by the amazon provider's operators, its jobs, and notices."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import boto3
from airflow.providers.amazon.aws.notifications.sns import SnsNotifier
from airflow.providers.amazon.aws.operators.emr import (
    EmrAddStepsOperator,
    EmrCreateJobFlowOperator,
    EmrServerlessStartJobOperator,
    EmrTerminateJobFlowOperator,
)
from airflow.providers.amazon.aws.sensors.emr import EmrServerlessJobSensor, EmrStepSensor

from airflow_dynamo_pipeline.adapters.policies import MORE_POLICIES
from tests.airflow.conftest import FakeTask, context_of
from tests.integration.policy_imports import INDEXED, import_, put_changes
from tests.integration.policy_runs import Run
from tests.integration.policy_stage import KEY, Stage

TOPIC = "arn:aws:sns:us-east-1:123456789012:notices"
JOB_ROLE = "arn:aws:iam::123456789012:role/Job"
STEP = {"Name": "export", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["true"]}}
CLUSTER: dict[str, Any] = {
    "Name": "exports",
    "ReleaseLabel": "emr-7.5.0",
    "Instances": {
        "MasterInstanceType": "m5.xlarge",
        "SlaveInstanceType": "m5.xlarge",
        "InstanceCount": 1,
        "KeepJobFlowAliveWhenNoSteps": True,
    },
    "JobFlowRole": "Machines",
    "ServiceRole": "EMR_DefaultRole_V2",
    "Tags": [{"Key": "for-use-with-amazon-emr-managed-policies", "Value": "true"}],
}
QUIET: dict[str, Any] = {"task_id": "emr", "do_xcom_push": False}  # links go to XCom, which is not here


def command_of(command: str) -> str:
    """What a command of ``iam-policy`` is for, as ``MORE_POLICIES`` names it."""
    (found,) = (of for of, policy in MORE_POLICIES.items() if policy.command == command)
    return found


def _run(name: str, command: str, act: Callable[[Stage], object], arguments: str, **more: Any) -> Run:
    return Run(name=name, operator=command_of(command), act=act, arguments=arguments, **more)


# --- who starts clusters, steps and jobs ----------------------------------------------------------


def _steps_on_a_cluster(_: Stage) -> None:
    context = context_of(FakeTask(uuid.uuid4().hex))
    cluster = EmrCreateJobFlowOperator(
        job_flow_overrides=CLUSTER, emr_conn_id=None, wait_for_completion=False, **QUIET
    ).execute(context)
    assert cluster
    _step_and_end(cluster)


def _step_and_end(cluster: str) -> None:
    context = context_of(FakeTask(uuid.uuid4().hex))
    (step,) = EmrAddStepsOperator(job_flow_id=cluster, steps=[STEP], **QUIET).execute(context)
    EmrStepSensor(job_flow_id=cluster, step_id=step, **QUIET).poke(context)
    EmrTerminateJobFlowOperator(job_flow_id=cluster, **QUIET).execute(context)


def _make_cluster_of_others(stage: Stage) -> None:
    client: Any = boto3.client("emr")
    stage.keys["cluster"] = client.run_job_flow(**{**CLUSTER, "Tags": []})["JobFlowId"]


def _make_application(stage: Stage) -> None:
    client: Any = boto3.client("emr-serverless")
    made = client.create_application(
        name="exports", releaseLabel="emr-7.5.0", type="SPARK", clientToken=uuid.uuid4().hex
    )
    stage.keys["application"] = made["applicationId"]
    client.stop_application(applicationId=made["applicationId"])  # a job starts it


def _serverless_job(stage: Stage) -> None:
    """Begun, looked at, and cancelled as a killed task does."""
    context = context_of(FakeTask(uuid.uuid4().hex))
    operator = EmrServerlessStartJobOperator(
        application_id=stage.keys["application"],
        execution_role_arn=JOB_ROLE,
        job_driver={"sparkSubmit": {"entryPoint": "s3://code/job.py"}},
        configuration_overrides=None,
        wait_for_completion=False,
        waiter_delay=0,
        **QUIET,
    )
    job = operator.execute(context)
    assert job
    EmrServerlessJobSensor(application_id=operator.application_id, job_run_id=job, **QUIET).poke(context)
    operator.on_kill()


CLUSTERS = _run(
    "steps on a cluster of EMR", "emr-pipeline-role", _steps_on_a_cluster, "--instance-role Machines"
)
NAMED_CLUSTERS = _run(
    "steps on a cluster of EMR, roles, region and account named",
    "emr-pipeline-role",
    _steps_on_a_cluster,
    "--instance-role arn:aws:iam::111122223333:role/Machines --service-role EMR_DefaultRole_V2 "
    "--region-name us-east-1 --account-id 111122223333 "
    "--cluster-tag for-use-with-amazon-emr-managed-policies=true",
)
OF_OTHERS = _run(
    "steps on a cluster that somebody made without the tag",
    "emr-pipeline-role",
    lambda stage: _step_and_end(stage.keys["cluster"]),
    "--instance-role Machines",
    prepare=_make_cluster_of_others,
)
SERVERLESS = _run(
    "job of EMR Serverless",
    "emr-pipeline-role",
    _serverless_job,
    f"--job-role {JOB_ROLE}",
    prepare=_make_application,
)


# --- what runs on the machines --------------------------------------------------------------------


def _put_changes_and_code(stage: Stage) -> None:
    put_changes(stage)
    stage.s3.put_object(Bucket=stage.bucket, Key="code/job.py", Body=b"")


def _import_and_export(stage: Stage) -> None:
    """The calls of both jobs, and those of EMR around them: the code is looked for, logs are written."""
    table = stage.new_table + INDEXED
    try:
        machine: Any = boto3.client("s3")
        machine.get_object(Bucket=stage.bucket, Key="code/job.py")
        assert 0 == machine.list_objects_v2(Bucket=stage.bucket, Prefix="code/none").get("KeyCount")
        imported = import_(
            stage,
            table_name=table,
            file_format="incremental",
            ratio=1,
            max_rejected=1,
            s3_sse_kms_key_id=KEY,
        )
        operator = stage.operator(table_name=table, ratio=1, s3_sse_kms_key_id=KEY)
        exported = operator.execute(context_of(FakeTask(uuid.uuid4().hex)))
        assert (2, 1) == (imported["written"], exported["item_count"])
        machine.put_object(Bucket=stage.bucket, Key="logs/j-1/stdout.gz", Body=b"")
    finally:
        stage.dynamodb.delete_table(TableName=table)


JOBS = _run(
    "export and import on the machines of EMR",
    "emr-resource-role",
    _import_and_export,
    "--table {new_table}" + INDEXED + " --s3-uri {uri} --s3-sse-kms-key-id {key} "
    "--log-uri s3://{bucket}/logs/ --code-s3-uri s3://{bucket}/code",
    prepare=_put_changes_and_code,
    borne=frozenset({"HeadBucket"}),
)


# --- notices --------------------------------------------------------------------------------------


def _make_topic(stage: Stage) -> None:
    """Encrypted."""
    client: Any = boto3.client("sns")
    assert TOPIC == client.create_topic(Name="notices")["TopicArn"]
    stage.keys[TOPIC] = KEY


def _make_plain_topic(stage: Stage) -> None:
    _make_topic(stage)
    stage.keys.clear()


def _notify(_: Stage) -> None:
    notifier: Any = SnsNotifier(
        target_arn=TOPIC, subject="exported", message="orders", aws_conn_id="aws_default"
    )
    notifier.notify(context_of(FakeTask(uuid.uuid4().hex)))


NOTICE = _run(
    "notice to an encrypted topic",
    "sns-notice",
    _notify,
    f"--topic-arn {TOPIC} --topic-kms-key-id " + "{key}",
    prepare=_make_topic,
)
UNENCRYPTED_NOTICE = _run(
    "notice",
    "sns-notice",
    _notify,
    f"--topic-arn {TOPIC}",
    prepare=_make_plain_topic,
)

MOST_MORE = (CLUSTERS, SERVERLESS, JOBS, NOTICE)
MORE = (*MOST_MORE, NAMED_CLUSTERS, UNENCRYPTED_NOTICE)
ELSEWHERE_MORE = [
    (CLUSTERS, "--instance-role Others", "iam:PassRole"),
    (CLUSTERS, "--instance-role Machines --service-role Others", "iam:PassRole"),
    (CLUSTERS, "--job-role Machines", "elasticmapreduce:RunJobFlow"),
    (CLUSTERS, "--instance-role Machines --cluster-tag team=others", "elasticmapreduce:RunJobFlow"),
    (OF_OTHERS, "--instance-role Machines", "elasticmapreduce:DescribeCluster"),
    (CLUSTERS, "--instance-role Machines --region-name eu-west-1", "elasticmapreduce:AddTags"),
    (SERVERLESS, f"--job-role {JOB_ROLE} --application-id another", "emr-serverless:GetApplication"),
    (SERVERLESS, "--job-role Others", "iam:PassRole"),
    (SERVERLESS, "--instance-role Job", "emr-serverless:GetApplication"),
    (NOTICE, f"--topic-arn {TOPIC}", "kms:GenerateDataKey"),
    (NOTICE, f"--topic-arn {TOPIC}2", "sns:Publish"),
]
