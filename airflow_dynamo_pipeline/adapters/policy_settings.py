"""What a policy is made for, as a person names it: read, and refused with every problem at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.loaders import create_loader

from airflow_dynamo_pipeline.adapters.arns import Place, bucket_and_key
from airflow_dynamo_pipeline.engine.import_request import ON_CONFLICT
from airflow_dynamo_pipeline.engine.requests import METHODS, S3Location
from airflow_dynamo_pipeline.engine.settings import Coercion, flag, is_given, one_of, text
from airflow_dynamo_pipeline.engine.verify import layout_of
from airflow_dynamo_pipeline.errors import InvalidRequest, InvalidSetting, Problem
from airflow_dynamo_pipeline.lookup.request import MODES

NAME = r"[A-Za-z0-9_.*-]{1,255}"
OWNER = r"[a-z0-9*-]+:[0-9*]+"  # region and account
ROLE = r"[A-Za-z0-9_+=,.@*/-]{1,576}"  # a name with its path
A_ROLE = rf"arn:[a-z-]+:iam::[0-9*]+:role/{ROLE}"
KEY = (
    rf"(arn:[a-z-]+:kms:{OWNER}:key/)?[A-Za-z0-9-]+|(arn:[a-z-]+:kms:{OWNER}:)?alias/[A-Za-z0-9/_-]+",
    "the ARN, id or alias of a KMS key",
)
JOBS = ("export", "import")
WITH_PARTITION = (
    "table_name",
    "s3_sse_kms_key_id",
    "kms_key_id",
    "secret_arn",
    "export_arn",
    "topic_arn",
    "topic_kms_key_id",
    "instance_role",
    "job_role",
    "service_role",
    "trusted_role",
)
TEMPLATE = "{{"
STAR = "write * for what a template fills in"
PLACE = ("region_name", "account_id", "partition")

Group = tuple[str, ...]  # of these settings exactly one


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its line of help and what takes it."""

    help: str
    coerce: Coercion
    many: bool = False  # may be given several times

    @property
    def is_flag(self) -> bool:
        """Whether it is given without a value."""
        return self.coerce is flag


def _shaped(shape: str, expected: str) -> Coercion:
    """A coercion that takes text of one shape."""

    def coerce(name: str, value: object) -> str:
        found = text(name, value)
        if not re.fullmatch(shape, found):
            raise InvalidSetting(name, value, expected)
        return found

    return coerce


def _s3_uri(name: str, value: object) -> str:
    found = text(name, value)
    if TEMPLATE in found or not re.fullmatch(NAME, S3Location.parse(found, name).bucket):
        raise InvalidSetting(name, value, f"s3://bucket/prefix; {STAR}")
    return found


def _manifest_uri(name: str, value: object) -> str:
    found = _s3_uri(name, value)
    layout_of(found)
    return found


def _objects(name: str, value: object) -> Sequence[str]:
    """One URI of an object, or several."""
    uris = [_s3_uri(name, one) for one in (value if isinstance(value, list | tuple) else [value])]
    for uri in uris:
        if not bucket_and_key(uri)[1]:
            raise InvalidSetting(name, uri, f"s3://bucket/key; {STAR}")
    return uris


def _role() -> Coercion:
    return _shaped(rf"{A_ROLE}|{ROLE}", f"the name or ARN of a role; {STAR}")


SETTINGS: Mapping[str, Setting] = {
    "table_name": Setting(
        f"Table, by name or ARN; {STAR}.",
        _shaped(rf"(arn:[a-z-]+:dynamodb:{OWNER}:table/)?{NAME}", f"the name or ARN of a table; {STAR}"),
    ),
    "s3_uri": Setting(f"Where the exports are: s3://bucket/prefix; {STAR}.", _s3_uri),
    "rejects_s3_uri": Setting("Where records and rejected items go.  [default: --s3-uri]", _s3_uri),
    "on_conflict": Setting(
        f"{', '.join(ON_CONFLICT)}, as for the import.  [default: overwrite]", one_of(*ON_CONFLICT)
    ),
    "allow_protected": Setting("As for the import: the table's tags are not read.", flag),
    "manifest_uri": Setting("The manifest-summary.json of the one export to read.", _manifest_uri),
    "bucket_key": Setting(f"Object waited for: s3://bucket/key; {STAR}.", _objects, many=True),
    "wildcard_match": Setting("The key is a wildcard pattern, as for the sensor.", flag),
    "use_regex": Setting("The key is a regular expression, as for the sensor.", flag),
    "index_name": Setting(
        "Secondary index that is read instead of the table.",
        _shaped(NAME, f"the name of an index; {STAR}"),
    ),
    "s3_sse_kms_key_id": Setting(
        "KMS key of the objects, by ARN, id or alias; also one that the bucket uses by itself.", _shaped(*KEY)
    ),
    "no_on_demand_ratio": Setting(
        "The rate is absolute or the table's mode provisioned: leave CloudWatch and Service Quotas out.", flag
    ),
    "method": Setting(
        "As for the export: with auto, what its planner looks at and may begin.", one_of(*METHODS)
    ),
    "save_table_definition": Setting("As for the export: what the definition is read by.", flag),
    "export_arn": Setting(
        f"The native export waited for; {STAR}.",
        _shaped(rf"arn:[a-z-]+:dynamodb:{OWNER}:table/{NAME}/export/[A-Za-z0-9*-]+", "the ARN of an export"),
    ),
    "record_s3_uri": Setting("Folder of the record of what was found, which is put back.", _s3_uri),
    "autoscaling": Setting("Autoscaling is registered (autoscaling_max_units).", flag),
    "no_sizing": Setting("Units are given, or the mode is on-demand: leave CloudWatch out.", flag),
    "topic_arn": Setting(
        f"Topic of the notices; {STAR}.",
        _shaped(rf"arn:[a-z-]+:sns:{OWNER}:{NAME}", "the ARN of a topic"),
    ),
    "topic_kms_key_id": Setting("KMS key of the topic, by ARN, id or alias.", _shaped(*KEY)),
    "instance_role": Setting(f"Role of the cluster's machines, by name or ARN; {STAR}.", _role()),
    "job_role": Setting(f"Runtime role of jobs of EMR Serverless or EKS, by name or ARN; {STAR}.", _role()),
    "service_role": Setting(
        f"Service role of EMR, likewise; {STAR}.  [default: EMR_DefaultRole_V2]", _role()
    ),
    "cluster_tag": Setting(
        "Tag that clusters are made with, and without which none is touched, as key=value.  "
        "[default: for-use-with-amazon-emr-managed-policies=true]",
        _shaped(r"[A-Za-z0-9 _.:/+@-]{1,128}=[A-Za-z0-9 _.:/=+@-]{0,256}", "key=value"),
    ),
    "application_id": Setting(
        "Application of EMR Serverless.  [default: any]",
        _shaped(r"[0-9a-z]{1,64}", "the id of an application"),
    ),
    "virtual_cluster_id": Setting(
        "Virtual cluster of EMR on EKS, on which jobs run instead of EMR Serverless.",
        _shaped(r"[0-9a-z*]{1,64}", f"the id of a virtual cluster; {STAR}"),
    ),
    "job": Setting("export or import: what the job does.  [default: both]", one_of(*JOBS)),
    "log_uri": Setting(f"Where EMR puts logs: s3://bucket/prefix; {STAR}.", _s3_uri),
    "code_s3_uri": Setting(f"Where the job's code is: s3://bucket/prefix; {STAR}.", _s3_uri),
    "serverless": Setting("With --trust: the runtime role of a job of EMR Serverless.", flag),
    "trusted_role": Setting(
        "With --trust: ARN of the role that assumes it.  [default: an environment of Amazon MWAA]",
        _shaped(A_ROLE, "the ARN of a role"),
    ),
    "trust": Setting("Print who may assume the role instead, its trust policy.", flag),
    "mode": Setting("As for the load: how rows are written.  [default: mirror]", one_of(*MODES)),
    "generations": Setting("The load has generation_days: new generations, and a pointer to one.", flag),
    "kms_key_id": Setting("KMS key of what Redshift unloads, by ARN, id or alias.", _shaped(*KEY)),
    "cluster_identifier": Setting(
        f"Provisioned cluster, by the Data API; {STAR}.",
        _shaped(r"[a-z0-9*-]{1,63}", f"the identifier of a cluster; {STAR}"),
    ),
    "workgroup_name": Setting(
        "Workgroup of Redshift Serverless, by the Data API; policies know workgroups by an id only.",
        _shaped(r"[a-z0-9*-]{1,64}", f"the name of a workgroup; {STAR}"),
    ),
    "database": Setting(
        "Database of the cluster.  [default: any]",
        _shaped(r"[^\s/:]{1,127}", "the name of a database"),
    ),
    "db_user": Setting(
        "Database user of the cluster, as for the load.",
        _shaped(r"[^\s/:]{1,127}", "the name of a database user"),
    ),
    "secret_arn": Setting(
        f"Secret with user and password, as for the load; {STAR}.",
        _shaped(rf"arn:[a-z-]+:secretsmanager:{OWNER}:secret:[A-Za-z0-9/_+=.@*-]+", "the ARN of a secret"),
    ),
    "region_name": Setting(
        "AWS region of the resources.  [default: any]",
        _shaped(r"[a-z]{2,}(-[a-z]+)+-[0-9]+", "a region, as in eu-west-1"),
    ),
    "account_id": Setting(
        "AWS account of the resources.  [default: any]",
        _shaped(r"[0-9]{12}", "the twelve digits of an account"),
    ),
    "partition": Setting(
        "Partition of AWS.  [default: that of the ARN or region given, else aws]",
        _shaped(r"aws(-[a-z]+)*", "a partition, as in aws, aws-cn or aws-us-gov"),
    ),
}


def read(
    required: Sequence[Group], optional: Sequence[str], given: Mapping[str, object]
) -> tuple[dict[str, Any], Place]:
    """Read settings and place; raises InvalidRequest with every problem found.

    None, an empty string and a flag that is off count as not given.
    """
    known = {*(name for group in required for name in group), *optional}
    some = {name: value for name, value in given.items() if is_given(value) and value not in (False, (), [])}
    problems = [Problem(name, "is not a setting of this policy") for name in some if name not in known]
    problems += _not_one(required, some)
    found: dict[str, Any] = {}
    for name in (name for name in SETTINGS if name in known and name in some):
        try:
            found[name] = SETTINGS[name].coerce(name, some[name])
        except InvalidSetting as problem:
            problems.append(Problem(name, f"{problem.value!r} is not {problem.expected}"))
    partitions = _partitions(found)
    if len(set(partitions.values())) > 1:
        said = ", ".join(f"{name} is of {partition}" for name, partition in partitions.items())
        problems.append(Problem(", ".join(partitions), f"are of different partitions: {said}"))
    if problems:
        raise InvalidRequest(problems)
    place = {name: found[name] for name in PLACE if name in found}
    return found, Place(**{"partition": next(iter(partitions.values()), "aws"), **place})


def _partitions(found: Mapping[str, Any]) -> dict[str, str]:
    """Which partition of AWS each setting names, where it names one."""
    named = {name: found[name] for name in ("partition",) if name in found}
    for name in WITH_PARTITION:
        if str(found.get(name, "")).startswith("arn:"):
            named[name] = found[name].split(":")[1]
    if "region_name" in found:
        region = found["region_name"]
        known = create_loader().load_data("partitions")["partitions"]  # of botocore's own files
        fitting = [one["id"] for one in known if re.match(one["regionRegex"], region)]
        if fitting:
            named["region_name"] = fitting[0]
    return named


def _not_one(required: Sequence[Group], some: Mapping[str, object]) -> Iterator[Problem]:
    """Groups of which none is given, or more than one."""
    for group in required:
        count = sum(name in some for name in group)
        if count == 0:
            yield Problem(" or ".join(group), "is required")
        elif count > 1:
            yield Problem(", ".join(group), "only one of them may be given")
