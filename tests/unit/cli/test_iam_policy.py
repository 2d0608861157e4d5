"""The command prints a policy and nothing else, offline; the reference shows what it prints."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import boto3
import pytest
from click.testing import CliRunner, Result

from airflow_dynamo_pipeline.adapters.policies import ALL_POLICIES, POLICIES, SHARED_POLICIES
from airflow_dynamo_pipeline.adapters.policies_statements import Policy
from airflow_dynamo_pipeline.adapters.policy_settings import SETTINGS
from airflow_dynamo_pipeline.cli.main import main

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "reference" / "iam-policies.md").read_text("utf-8")
SHOWN = re.compile(r'--8<-- "(docs/examples/[^"]+)"\n```\n\n```json\n(.*?)```', re.DOTALL)
EXPORT = ("export", "--table", "orders", "--s3-uri", "s3://backups/orders")
OF_EVERY_COMMAND = ("--config", "--json", "--quiet", "--verbose")
COMMANDS = [policy.command for policy in ALL_POLICIES.values()]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["iam-policy", *arguments], prog_name="dynamo-pipeline")


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a session is made: it would look for profiles and credentials."""

    def session(*_: object, **__: object) -> None:
        pytest.fail("a session was made")

    monkeypatch.setattr(boto3, "Session", session)
    monkeypatch.setenv("AWS_PROFILE", "nobody")


def test_a_policy_is_printed_as_indented_json_and_nothing_else() -> None:
    done = run(*EXPORT)

    assert (0, "") == (done.exit_code, done.stderr)
    expected = POLICIES["DynamoDBExportOperator"].document(
        {"table_name": "orders", "s3_uri": "s3://backups/orders"}
    )
    assert json.dumps(expected, indent=2) + "\n" == done.stdout


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--index-name", "by-shop"), "table/orders/index/by-shop"),
        (("--s3-sse-kms-key-id", "k"), ":key/k"),
        (("--region-name", "eu-west-1"), "arn:aws:dynamodb:eu-west-1:"),
        (("--account-id", "111122223333"), ":111122223333:table/orders"),
        (("--partition", "aws-cn"), "arn:aws-cn:s3:::backups"),
    ],
)
def test_an_option_narrows_the_policy(more: tuple[str, ...], words: str) -> None:
    assert words in run(*EXPORT, *more).stdout
    assert words not in run(*EXPORT).stdout


def test_a_flag_leaves_something_out() -> None:
    assert "cloudwatch:" in run(*EXPORT).stdout
    assert "cloudwatch:" not in run(*EXPORT, "--no-on-demand-ratio").stdout


def test_several_objects_are_given_one_by_one() -> None:
    done = run("s3-key-exists", "--bucket-key", "s3://a/x", "--bucket-key", "s3://b/y")

    assert '"arn:aws:s3:::a/x"' in done.stdout
    assert '"arn:aws:s3:::b/y"' in done.stdout


def test_what_cannot_be_is_refused_all_at_once() -> None:
    done = run("export", "--s3-uri", "backups", "--region-name", "Ireland", "--account-id", "me")

    assert (10, "") == (done.exit_code, done.stdout)
    assert "4 problems" in done.stderr
    for name in ("table_name: is required", "s3_uri: ", "region_name: ", "account_id: "):
        assert name in done.stderr


@pytest.mark.parametrize("arguments", [("restore",), ("export", "--tabel", "orders")])
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)

    assert (2, "") == (done.exit_code, done.stdout)
    assert "Usage: dynamo-pipeline iam-policy" in done.stderr


def test_help_names_every_command_and_its_operator() -> None:
    shown = " ".join(run("--help").stdout.split())

    for operator, policy in ALL_POLICIES.items():
        assert f"{policy.command} The policy of {operator}." in shown


@pytest.mark.parametrize(("part", "whole"), SHARED_POLICIES.items())
def test_help_and_reference_say_whose_policy_an_operator_for_a_part_takes(part: str, whole: str) -> None:
    command = POLICIES[whole].command
    shown = run(command, "--help").stdout
    _, _, below = PAGE.partition(f"\n### dynamo-pipeline iam-policy {command}\n")

    assert part in shown
    assert f"`{part}`" in below.partition("\n### ")[0]


@pytest.mark.parametrize("policy", ALL_POLICIES.values(), ids=COMMANDS)
def test_help_names_every_setting_of_a_policy_and_no_other(policy: Policy) -> None:
    shown = " ".join(run(policy.command, "--help").stdout.split())

    options = set(re.findall(r"--[a-z0-9-]+", shown)) - {"--help", "--table", *OF_EVERY_COMMAND}
    assert {f"--{name.replace('_', '-')}" for name in policy.settings} == options
    assert [] == [name for name in policy.settings if SETTINGS[name].help.split("  [")[0] not in shown]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_reference_has_a_heading_for_every_command(command: str) -> None:
    assert f"\n### dynamo-pipeline iam-policy {command}\n" in PAGE


def test_the_reference_has_every_action() -> None:
    least = dict.fromkeys(
        ("s3_uri", "bucket_key", "code_s3_uri"), "s3://b/AWSDynamoDB/x/manifest-summary.json"
    )
    topic = "arn:aws:sns:eu-west-1:111122223333:exports"
    given = {**least, "table_name": "t", "s3_sse_kms_key_id": "k", "topic_arn": topic, "instance_role": "m"}
    for policy in ALL_POLICIES.values():
        document = policy.document({name: given[name] for name in policy.settings if name in given})
        for statement in document["Statement"]:
            assert [] == [action for action in statement["Action"] if f"\n| `{action}` |" not in PAGE]


def test_the_reference_shows_what_is_printed() -> None:
    shown = SHOWN.findall(PAGE)

    assert shown
    for example, expected in shown:
        program, _, *arguments = shlex.split((ROOT / example).read_text("utf-8").replace("\\\n", ""))
        assert "dynamo-pipeline" == program
        assert expected == run(*arguments).stdout
