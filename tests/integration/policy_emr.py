"""What is not an operator of ours at work: EMR by the amazon provider's operators, its jobs, and notices."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
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

from airflow_dynamo_pipeline.adapters.emr_jobs import SparkSubmit, begin
from airflow_dynamo_pipeline.adapters.emr_platforms import jobs_of
from airflow_dynamo_pipeline.adapters.emr_settings import EmrSettings
from airflow_dynamo_pipeline.adapters.policies import MORE_POLICIES
from airflow_dynamo_pipeline.airflow_versions import AirflowFailException
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.ranges import range_works
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.engine.shares import Sharing
from airflow_dynamo_pipeline.errors import ServiceTrouble
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.operators.emr import EmrDynamoDBExportOperator, EmrDynamoDBImportOperator
from airflow_dynamo_pipeline.operators.running import failing_at_once
from airflow_dynamo_pipeline.spark.bundle import job_file, upload
from airflow_dynamo_pipeline.triggers.emr import EmrJobTrigger
from tests.airflow.conftest import FakeTask, context_of
from tests.integration.policy_calls_emr import TAGS
from tests.integration.policy_imports import INDEXED, import_, put_changes
from tests.integration.policy_runs import Run
from tests.integration.policy_stage import KEY, Stage
from tests.unit.airflow_parts import deferral_of

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
    "AutoTerminationPolicy": {"IdleTimeout": 3600},
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


def _steps_on_a_cluster(stage: Stage) -> None:
    context = context_of(FakeTask(uuid.uuid4().hex))
    cluster = EmrCreateJobFlowOperator(
        job_flow_overrides=CLUSTER, emr_conn_id=None, wait_for_completion=False, **QUIET
    ).execute(context)
    assert cluster
    _job_of_ours(stage, "emr", job_flow_id=cluster)
    _step_and_end(cluster)


def _begun_and_cancelled(stage: Stage, service: str, **where: Any) -> None:
    """As the operators of this package do it: code is put, a job begun, adopted, and cancelled."""
    store = DynamoDBPipelineHook().reading_store(S3Location(stage.bucket, "code"), lambda _: None)
    settings = EmrSettings(ranges=2, code_s3_uri=f"s3://{stage.bucket}/code", **where)
    client: Any = boto3.client(service)  # type: ignore[call-overload]
    jobs = jobs_of(settings, client)
    assert [] == list(jobs.problems())
    work = Work(run=uuid.uuid4().hex, generation="0", began_at=datetime.now(UTC))
    (part, _) = range_works(work, "an export", 2, Sharing())

    def make(name: str, token: str) -> SparkSubmit:
        uri = upload(store, settings.code, job_file())
        return SparkSubmit(
            name=name, token=token, entry_point=uri, arguments=["s3://job"], conf={"spark.a": "b"}
        )

    since = work.began_at - timedelta(days=1)
    upload(store, settings.code, job_file())  # so that begin finds it there
    first = begin(jobs, "export", part, since, make, lambda _: None)
    again = begin(jobs, "export", part, since, make, lambda _: None)
    assert first.ended or first.job_id == again.job_id  # moto's job runs of EMR Serverless end at once
    try:
        jobs.cancel(first.job_id)
    except ServiceTrouble:
        assert "emr" == service  # moto has no CancelSteps; it was judged before that


def _job_of_ours(stage: Stage, service: str, **where: Any) -> None:
    with failing_at_once():
        _begun_and_cancelled(stage, service, **where)


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
    application = stage.keys["application"]
    _job_of_ours(stage, "emr-serverless", application_id=application, execution_role_arn=JOB_ROLE)


def _make_virtual_cluster(stage: Stage) -> None:
    client: Any = boto3.client("emr-containers")
    info = {"eksInfo": {"namespace": uuid.uuid4().hex}}
    provider = {"id": "eks", "type": "EKS", "info": info}
    stage.keys["virtual"] = client.create_virtual_cluster(name="exports", containerProvider=provider)["id"]


def _job_on_eks(stage: Stage) -> None:
    _job_of_ours(
        stage,
        "emr-containers",
        virtual_cluster_id=stage.keys["virtual"],
        execution_role_arn=JOB_ROLE,
        release_label="emr-7.5.0-latest",
    )


CODE = " --code-s3-uri s3://{bucket}/code"
CLUSTERS = _run(
    "steps on a cluster of EMR", "emr-pipeline-role", _steps_on_a_cluster, "--instance-role Machines" + CODE
)
NAMED_CLUSTERS = _run(
    "steps on a cluster of EMR, roles, region and account named",
    "emr-pipeline-role",
    _steps_on_a_cluster,
    "--instance-role arn:aws:iam::111122223333:role/Machines --service-role EMR_DefaultRole_V2 "
    "--region-name us-east-1 --account-id 111122223333 "
    "--cluster-tag for-use-with-amazon-emr-managed-policies=true" + CODE,
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
    f"--job-role {JOB_ROLE}" + CODE,
    prepare=_make_application,
)
CONTAINERS = _run(
    "job of EMR on EKS",
    "emr-pipeline-role",
    _job_on_eks,
    f"--job-role {JOB_ROLE} --virtual-cluster-id *" + CODE,
    prepare=_make_virtual_cluster,
)


# --- exports and imports by jobs -----------------------------------------------------------------


def _task_of_a_job(stage: Stage, kind: type[Any], **settings: Any) -> None:
    """Planned, submitted and deferred; ended by a person, who cancels the job."""
    operator = kind(
        task_id="emr",
        ranges=2,
        code_s3_uri=f"s3://{stage.bucket}/code",
        dependencies="none",
        deferrable=True,
        do_xcom_push=False,
        poke_interval=0,
        **settings,
    )
    context = context_of(FakeTask(uuid.uuid4().hex))
    if "application_id" in settings:
        trigger = _of_moto_s_job(operator, context)
    else:
        trigger = deferral_of(operator, context).trigger
    try:
        with failing_at_once():
            asyncio.run(trigger.on_kill())
    except ServiceTrouble:
        assert settings.get("job_flow_id")  # moto has no CancelSteps; it was judged before that


def _of_moto_s_job(operator: Any, context: Any) -> EmrJobTrigger:
    """Which has succeeded at once and done nothing: the commit that finds out is the last of the task."""
    try:
        operator.execute(context)
    except AirflowFailException as error:
        if "range 0: " not in str(error):
            raise
    settings = operator._emr()
    (job, *_) = jobs_of(settings, boto3.client("emr-serverless")).jobs(datetime(2026, 1, 1, tzinfo=UTC))
    return EmrJobTrigger(emr=settings.to_json(), job_id=job.job_id, watch={}, poke_interval=0)


def _on_a_cluster(stage: Stage) -> dict[str, str]:
    return {"job_flow_id": stage.keys["cluster"]}


def _on_an_application(stage: Stage) -> dict[str, str]:
    return {"application_id": stage.keys["application"], "execution_role_arn": JOB_ROLE}


def _on_eks(stage: Stage) -> dict[str, str]:
    role = {"execution_role_arn": JOB_ROLE, "release_label": "emr-7.5.0-latest"}
    return {"virtual_cluster_id": stage.keys["virtual"], **role}


def _make_cluster(stage: Stage) -> None:
    client: Any = boto3.client("emr")
    stage.keys["cluster"] = client.run_job_flow(**CLUSTER)["JobFlowId"]
    tags = {each["Key"]: each["Value"] for each in CLUSTER["Tags"]}
    stage.keys[TAGS] = json.dumps(tags)


def _make_used_application(stage: Stage) -> None:
    """Of one that never ran a job moto knows no list of jobs."""
    _make_application(stage)
    client: Any = boto3.client("emr-serverless")
    application = {"applicationId": stage.keys["application"], "executionRoleArn": JOB_ROLE}
    client.start_job_run(clientToken=uuid.uuid4().hex, name="of others", **application)


PLACES: Mapping[str, tuple[Any, Any, str]] = {
    "a cluster": (_make_cluster, _on_a_cluster, ""),
    "EMR Serverless": (_make_used_application, _on_an_application, f" --job-role {JOB_ROLE}"),
    "EMR on EKS": (_make_virtual_cluster, _on_eks, f" --job-role {JOB_ROLE} --virtual-cluster-id *"),
}


def _export_run(place: str) -> Run:
    prepare, where, arguments = PLACES[place]
    return Run(
        name=f"export by a job on {place}",
        operator="EmrDynamoDBExportOperator",
        act=lambda stage: _task_of_a_job(
            stage,
            EmrDynamoDBExportOperator,
            table_name=stage.on_demand_table,
            s3_uri=stage.uri,
            ratio=1,
            **where(stage),
        ),
        arguments="--table {on_demand_table} --s3-uri {uri}" + CODE + arguments,
        prepare=prepare,
        borne=frozenset({"HeadBucket"}),
    )


def _import_run(place: str) -> Run:
    prepare, where, arguments = PLACES[place]

    def prepared(stage: Stage) -> None:
        stage.export_beforehand()
        prepare(stage)

    return Run(
        name=f"import by a job on {place}",
        operator="EmrDynamoDBImportOperator",
        act=lambda stage: _task_of_a_job(
            stage,
            EmrDynamoDBImportOperator,
            table_name=stage.on_demand_table,
            s3_uri=stage.manifest_uri,
            ratio=1,
            on_existing="new",
            **where(stage),
        ),
        arguments="--table {on_demand_table} --s3-uri {manifest_uri}" + CODE + arguments,
        prepare=prepared,
    )


EXPORTS = tuple(map(_export_run, PLACES))
IMPORTS = tuple(map(_import_run, PLACES))


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

MOST_MORE = (CLUSTERS, SERVERLESS, CONTAINERS, *EXPORTS, *IMPORTS, JOBS, NOTICE)
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
    (CONTAINERS, "--job-role Others --virtual-cluster-id *" + CODE, "emr-containers:StartJobRun"),
    (
        CONTAINERS,
        f"--job-role {JOB_ROLE} --virtual-cluster-id vc1" + CODE,
        "emr-containers:DescribeVirtualCluster",
    ),
    (SERVERLESS, "--instance-role Job", "emr-serverless:GetApplication"),
    (NOTICE, f"--topic-arn {TOPIC}", "kms:GenerateDataKey"),
    (NOTICE, f"--topic-arn {TOPIC}2", "sns:Publish"),
]
