"""What a person sees is what there is, whatever characters are in it."""

from __future__ import annotations

import json

import pytest

from airflow_dynamo_pipeline.cli.manner import Manner
from airflow_dynamo_pipeline.cli.output import Output

RECORD = {"item_count": 1234567, "seconds": 1.5, "index_name": None, "consistent": True, "dry_run": False}


def shown(capsys: pytest.CaptureFixture[str], **record: object) -> str:
    Output().result("exported", record)
    return capsys.readouterr().out


def test_a_result_is_a_line_for_each_name(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line.split() for line in shown(capsys, **RECORD).splitlines()]

    assert ["exported"] == lines[0]
    assert ["item_count", "1,234,567"] in lines
    assert ["seconds", "1.5"] in lines
    assert ["consistent", "yes"] in lines
    assert ["dry_run", "no"] in lines


def test_json_is_the_record_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    Output(Manner(json=True)).result("exported", RECORD)

    captured = capsys.readouterr()
    assert RECORD == json.loads(captured.out)
    assert "" == captured.err


@pytest.mark.parametrize(
    "uri",
    ["s3://b/[red]/x", "s3://b/[/red]/x", "s3://b/a:key:b/x", "s3://b/" + "long/" * 60, "s3://b/é😀/x"],
    ids=["opens markup", "closes markup", "names an emoji", "long", "unicode"],
)
def test_a_uri_comes_out_whole(capsys: pytest.CaptureFixture[str], uri: str) -> None:
    assert uri in shown(capsys, manifest_uri=uri)


@pytest.mark.parametrize("line", ["table [red]x[/red]", "a:key:b", "x" * 500, "[/]"])
def test_a_message_comes_out_whole_on_stderr(capsys: pytest.CaptureFixture[str], line: str) -> None:
    output = Output()

    output.say(line)
    output.warn(line)

    captured = capsys.readouterr()
    assert f"{line}\nwarning: {line}\n" == captured.err
    assert "" == captured.out


def test_a_log_gets_a_line_now_and_then_and_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()

    with output.progress():
        assert output.reports.every_seconds >= 10

    assert "" == capsys.readouterr().err
