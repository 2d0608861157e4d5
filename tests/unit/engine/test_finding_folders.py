from collections.abc import Callable

import pytest

from airflow_dynamo_pipeline.engine import finding_folders
from tests.unit.engine.golden_manifests import GOLDEN, Bucket, keys_of

DAY = "2019-01-01-00-00-00"
NAMES = ["0e8e0c2c-6f1f-4a53-9d6f-3b0a4d1c2e5f", "7d1b9a50-12c4-4c8e-8f0e-5a6b7c8d9e0f"]
FILES = [f"{DAY}/{name}" for name in NAMES]
MANIFEST = (GOLDEN / "data_pipeline" / "manifest").read_text()
MANIFEST_URI = f"s3://backups/{DAY}/manifest"
Edit = Callable[[str], str]


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def backup(bucket: Bucket, manifest: str = MANIFEST) -> str:
    """Put a Data Pipeline backup there."""
    bucket.put(*FILES, f"{DAY}/_SUCCESS")
    bucket.put(f"{DAY}/manifest", body=manifest.encode())
    return f"s3://backups/{DAY}/"


@pytest.mark.parametrize("uri", [f"s3://backups/{DAY}/", f"s3://backups/{DAY}", MANIFEST_URI])
def test_a_data_pipeline_backup_is_found_by_its_folder_or_its_manifest(bucket: Bucket, uri: str) -> None:
    backup(bucket)
    found = bucket.find(uri)

    assert ("data pipeline backup", None, FILES) == (found.kind, found.item_count, keys_of(found))
    (stage,) = found.stages
    assert (MANIFEST_URI, "data_pipeline", None) == (stage.uri, stage.reader, stage.window)
    assert ([], [], []) == (bucket.sniffed, bucket.said, bucket.warned)


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace("s3://", "s3n://"),
        lambda text: text.replace("s3://", "s3a://"),
        lambda text: text.replace("s3://backups/", "https://backups.s3.eu-west-1.amazonaws.com/"),
        lambda text: text.replace("s3://backups/", "https://s3-eu-west-1.amazonaws.com/backups/"),
        lambda text: text.replace('"mandatory":true', '"mandatory":false,"meta":{"content_length":1}'),
        lambda text: text.replace('"name"', '"written_by":[1],"name"'),
        lambda text: "\ufeff" + text,
    ],
    ids=["s3n", "s3a", "host", "path", "entry field", "field", "byte order mark"],
)
def test_every_spelling_of_a_version_3_manifest_is_read(bucket: Bucket, edit: Edit) -> None:
    assert FILES == keys_of(bucket.find(backup(bucket, edit(MANIFEST))))
    assert [] == bucket.said


@pytest.mark.parametrize("version", ["2", "4", '"3"', "true", "null"])
def test_another_version_is_refused(bucket: Bucket, version: str) -> None:
    (problem,) = bucket.problems(backup(bucket, MANIFEST.replace("3,", f"{version},", 1)))

    assert problem.startswith(f"{MANIFEST_URI} has the unknown version")
    assert problem.endswith("version 3 is read")


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "[]",
        '{"version":3}',
        '{"version":3,"entries":[{"mandatory":true}]}',
        '{"version":' + "[" * 100_000,
    ],
    ids=["empty", "list", "no entries", "no url", "deep"],
)
def test_a_manifest_that_is_no_list_of_files_is_refused(bucket: Bucket, manifest: str) -> None:
    (problem,) = bucket.problems(backup(bucket, manifest))

    assert problem.startswith(f"{MANIFEST_URI} is not a list of files")


def test_a_manifest_without_entries_imports_nothing_and_warns(bucket: Bucket) -> None:
    found = bucket.find(backup(bucket, '{"name":"DynamoDB-export","version":3,"entries":[]}'))

    assert (0, 0) == (found.files, found.item_count)
    (warned,) = bucket.warned
    assert "there is nothing to import" in warned


@pytest.mark.parametrize(
    ("old", "new"), [("s3://backups/", "s3://elsewhere/"), (f"s3://backups/{DAY}", "s3://backups/original")]
)
def test_a_backup_that_was_copied_is_read_beside_its_manifest(bucket: Bucket, old: str, new: str) -> None:
    found = bucket.find(backup(bucket, MANIFEST.replace(old, new)))

    assert FILES == keys_of(found)
    (said,) = bucket.said
    assert "2 of 2 files were copied" in said


def test_a_file_at_the_url_comes_before_one_beside_the_manifest(bucket: Bucket) -> None:
    bucket.put(f"original/{NAMES[0]}", f"original/{NAMES[1]}")
    found = bucket.find(backup(bucket, MANIFEST.replace(f"backups/{DAY}", "backups/original")))

    assert [f"original/{name}" for name in NAMES] == keys_of(found)


def test_every_missing_file_is_named(bucket: Bucket) -> None:
    uri = backup(bucket)
    bucket.store.delete(FILES)
    problems = bucket.problems(uri)

    assert [True, True] == [key in problem for key, problem in zip(FILES, problems, strict=True)]


def test_a_url_of_something_else_is_refused(bucket: Bucket) -> None:
    (problem,) = bucket.problems(backup(bucket, MANIFEST.replace("s3://", "hdfs://", 1)))

    assert f"'hdfs://backups/{FILES[0]}' is not the URL of an object in S3" in problem


def test_two_entries_of_one_name_in_a_copied_backup_are_refused(bucket: Bucket) -> None:
    """They were two files once, and one of them is lost."""
    edited = MANIFEST.replace(f"{DAY}/{NAMES[1]}", f"other/{NAMES[0]}")
    (problem,) = bucket.problems(backup(bucket, edited))

    assert f"2 entries lead to s3://backups/{FILES[0]}" in problem


def test_files_of_failed_attempts_are_counted_and_passed_over(bucket: Bucket) -> None:
    uri = backup(bucket)
    bucket.put(
        f"{DAY}/orphan-1", f"{DAY}/orphan-2", f"{DAY}/.hidden", f"{DAY}/_temporary/0", f"{DAY}/x/y", f"{DAY}/"
    )

    assert FILES == keys_of(bucket.find(uri))
    (said,) = bucket.said
    assert "2 files are not in the manifest" in said


def test_a_manifest_decides_the_format(bucket: Bucket) -> None:
    uri = backup(bucket)
    (problem,) = bucket.problems(uri, file_format="csv")

    assert "file_format is 'csv', but the manifest" in problem
    assert FILES == keys_of(bucket.find(uri, file_format="data_pipeline"))


def test_without_a_manifest_every_file_that_is_not_hidden_is_read(bucket: Bucket) -> None:
    names = ["000001_0", "000000_0", "_SUCCESS", ".part.crc", "_logs/x", "", "sub_$folder$"]
    bucket.put(*(f"old/{name}" for name in names))
    bucket.put("older/000000_0", "old")
    bucket.formats["old/000000_0"] = "data_pipeline"
    found = bucket.find("s3://backups/old/")

    assert ["old/000000_0", "old/000001_0"] == keys_of(found)
    assert ("data pipeline backup", "s3://backups/old/") == (found.kind, found.stages[0].uri)
    assert [] == bucket.warned


def test_folders_in_a_folder_are_named_in_a_warning(bucket: Bucket) -> None:
    bucket.put("in/a.csv", "in/2018/b.csv", "in/2019/c.csv", "in/_temporary/d.csv")

    assert ["in/a.csv"] == keys_of(bucket.find("s3://backups/in", file_format="csv"))
    (warned,) = bucket.warned
    assert warned.endswith("is not imported: 2018, 2019")


@pytest.mark.parametrize("uri", ["s3://backups/in", "s3://backups/in/", "s3://backups/in/manifest"])
def test_a_place_without_files_is_refused(bucket: Bucket, uri: str) -> None:
    (problem,) = bucket.problems(uri, file_format="csv")

    assert "holds no files" in problem


def test_where_all_files_are_in_folders_those_are_named(bucket: Bucket) -> None:
    bucket.put("in/2018/b.csv", "in/2019/c.csv", "in/_SUCCESS")
    (problem,) = bucket.problems("s3://backups/in/", file_format="csv")

    assert "2018, 2019" in problem


def test_a_single_file_is_a_backup(bucket: Bucket) -> None:
    bucket.put("in/a.csv", "in/a.csv.bak", "in/b.csv")
    bucket.formats["in/a.csv"] = "csv"
    found = bucket.find("s3://backups/in/a.csv")

    assert ("files", ["in/a.csv"]) == (found.kind, keys_of(found))
    assert ("s3://backups/in/a.csv", "csv") == (found.stages[0].uri, found.stages[0].reader)


def test_a_slash_at_the_end_tells_a_folder_from_a_file_of_its_name(bucket: Bucket) -> None:
    bucket.put("in", "in/a")

    assert ["in"] == keys_of(bucket.find("s3://backups/in", file_format="csv"))
    assert ["in/a"] == keys_of(bucket.find("s3://backups/in/", file_format="csv"))


def test_a_folder_may_be_called_manifest(bucket: Bucket) -> None:
    bucket.put("in/manifest/a", "in/b")
    bucket.put("in/manifest", body=MANIFEST.encode())

    assert ["in/manifest/a"] == keys_of(bucket.find("s3://backups/in/manifest/", file_format="csv"))


def test_a_file_at_the_top_of_the_bucket_is_found(bucket: Bucket) -> None:
    bucket.put("a.csv")

    assert ["a.csv"] == keys_of(bucket.find("s3://backups/a.csv", file_format="csv"))
    assert ["a.csv"] == keys_of(bucket.find("s3://backups/", file_format="csv"))


def test_the_format_that_is_given_decides_without_a_look_at_the_files(bucket: Bucket) -> None:
    bucket.put("in/a.json", "in/b.csv")
    found = bucket.find("s3://backups/in/", file_format="plain_json")

    assert ("files", "plain_json", []) == (found.kind, found.stages[0].reader, bucket.sniffed)


def test_one_file_of_each_suffix_is_looked_at_and_empty_ones_are_not(bucket: Bucket) -> None:
    bucket.put("in/a.json.gz", "in/d", body=b"")
    bucket.put("in/b.json.gz", "in/c.json.gz", "in/e", "in/f", "in/g.gz", "in/h.JSON")
    bucket.formats = dict.fromkeys(bucket.store.objects, "dynamodb_json")

    assert "dynamodb_json" == bucket.find("s3://backups/in/").stages[0].reader
    assert ["in/b.json.gz", "in/e", "in/g.gz", "in/h.JSON"] == bucket.sniffed


def test_files_of_several_formats_are_refused(bucket: Bucket) -> None:
    bucket.put("in/a.csv", "in/b.json")
    bucket.formats = {"in/a.csv": "csv", "in/b.json": "plain_json"}
    (problem,) = bucket.problems("s3://backups/in/")

    assert "s3://backups/in/a.csv is csv, s3://backups/in/b.json is plain_json" in problem


def test_a_format_that_cannot_be_told_is_refused_with_those_that_are_read(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding_folders, "READERS", {"csv": None, "ion": None})
    bucket.put("in/a.bin")
    (problem,) = bucket.problems("s3://backups/in/")

    assert "the format of s3://backups/in/a.bin cannot be told" in problem
    assert problem.endswith("say it by file_format: csv, ion")


def test_a_folder_of_empty_files_is_of_no_format(bucket: Bucket) -> None:
    bucket.put("in/a", "in/b", body=b"")

    assert 1 == len(bucket.problems("s3://backups/in/"))
    assert ["in/a"] == bucket.sniffed


def test_changes_without_a_manifest_are_applied_only_when_that_is_said(bucket: Bucket) -> None:
    bucket.put("in/a.json")
    bucket.formats["in/a.json"] = "incremental"
    (problem,) = bucket.problems("s3://backups/in/")

    assert "changes without a manifest" in problem
    assert "file_format='incremental'" in problem
    assert ["in/a.json"] == keys_of(bucket.find("s3://backups/in/", file_format="incremental"))
    assert 1 == len(bucket.warned)


def test_the_identity_of_files_is_of_their_place_names_and_sizes(bucket: Bucket) -> None:
    def identity(uri: str) -> str:
        return bucket.find(uri, file_format="csv").identity

    bucket.put("in/a", "in/b", "copy/a", "copy/b")
    first = identity("s3://backups/in/")

    assert first == identity("s3://backups/in")
    copied = identity("s3://backups/copy/")
    elsewhere = identity("s3://archive/in/")
    bucket.put("in/b", body=b"longer")
    longer = identity("s3://backups/in/")
    bucket.put("in/c")
    assert 5 == len({first, copied, elsewhere, longer, identity("s3://backups/in/")})


def test_the_identity_of_a_data_pipeline_backup_is_of_its_manifest_and_place(bucket: Bucket) -> None:
    uri = backup(bucket)
    first = bucket.find(uri).identity

    assert first == bucket.find(MANIFEST_URI).identity
    bucket.put(f"{DAY}/manifest", body=MANIFEST.encode() + b" ")
    edited = bucket.find(uri).identity
    bucket.move(f"{DAY}/", "copy/")
    assert 3 == len({first, edited, bucket.find("s3://backups/copy/").identity})
