from collections.abc import Iterator

import pytest

from airflow_dynamo_pipeline.engine.finding_search import fingerprint
from airflow_dynamo_pipeline.engine.sources import BackupFile
from tests.unit.engine.golden_manifests import FIRST_DAY, FULL, ION, OURS, ROOT, Bucket, keys_of, summary_uri

FILES = [f"{ROOT}/{FULL}/data/asdl123dasas.json.gz", f"{ROOT}/{FULL}/data/qlwe45rtyuio.json.gz"]
FOLDER = f"{ROOT}/{FULL}"
ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/orders"


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.mark.parametrize(
    "uri",
    [
        summary_uri(FULL),
        f"s3a://backups/{FOLDER}/manifest-summary.json",
        f"s3://backups/{FOLDER}/",
        f"s3://backups/{FOLDER}",
        f"s3://backups/{ROOT}/",
        f"s3://backups/{ROOT}",
        "s3://backups/nightly/",
        "s3://backups/nightly",
    ],
)
def test_a_native_export_is_found_by_its_manifest_its_folder_or_a_prefix_above(
    bucket: Bucket, uri: str
) -> None:
    bucket.export(FULL)
    found = bucket.find(uri)

    assert ("native export", ARN, 11) == (found.kind, found.table_arn, found.item_count)
    (stage,) = found.stages
    assert (summary_uri(FULL), "dynamodb_json", None) == (stage.uri, stage.reader, stage.window)
    assert (
        BackupFile(FILES[0], 8, "sQMSpEILNgoQmarvDFonGQ=="),
        BackupFile(FILES[1], 3, "XL8QPmZ2YQ0VbZyqEJXZ8A=="),
    ) == stage.files
    assert ([], [], []) == (bucket.sniffed, bucket.said, bucket.warned)


def test_an_export_at_the_top_of_the_bucket_is_found(bucket: Bucket) -> None:
    bucket.export(FULL)
    bucket.move("nightly/", "")

    assert [key.removeprefix("nightly/") for key in FILES] == keys_of(bucket.find("s3://backups"))


def test_our_own_export_is_read_as_its_own_key_says(bucket: Bucket) -> None:
    found = bucket.find(bucket.export(OURS))

    assert ("export", ["plain_json"], 7) == (
        found.kind,
        [stage.reader for stage in found.stages],
        found.item_count,
    )


def test_our_export_in_the_connectors_format_is_read_by_the_summary_which_has_counts(bucket: Bucket) -> None:
    bucket.export(OURS)
    bucket.put(f"{ROOT}/{OURS}/manifest", body=b'{"version":3,"entries":[]}')

    assert 7 == bucket.find(f"s3://backups/{ROOT}/{OURS}/manifest").item_count


def test_an_ion_export_is_read_as_ion(bucket: Bucket) -> None:
    assert ["ion"] == [stage.reader for stage in bucket.find(bucket.export(ION)).stages]


@pytest.mark.parametrize(
    ("edited", "told"),
    [
        ({"outputFormat": "CSV"}, "outputFormat is 'CSV'"),
        ({"airflowDynamoPipeline": {"fileFormat": "avro"}}, "airflowDynamoPipeline.fileFormat is 'avro'"),
    ],
)
def test_a_manifest_of_an_unknown_format_is_refused(
    bucket: Bucket, edited: dict[str, object], told: str
) -> None:
    (problem,) = bucket.problems(bucket.export(FULL, **edited))

    assert told in problem


@pytest.mark.parametrize("part", [{"indexName": "by_day"}, {"filtered": True}])
def test_an_export_of_an_index_or_with_a_projection_is_warned_of(
    bucket: Bucket, part: dict[str, object]
) -> None:
    bucket.find(bucket.export(OURS, airflowDynamoPipeline={"fileFormat": "dynamodb_json", **part}))

    assert "its items may lack attributes" in bucket.warned[0]


@pytest.mark.parametrize("suffix", ["md5", "checksum"])
@pytest.mark.parametrize("name", ["manifest-summary", "manifest-files"])
def test_a_checksum_file_that_does_not_match_is_refused(bucket: Bucket, name: str, suffix: str) -> None:
    uri = bucket.export(FULL)
    bucket.put(f"{FOLDER}/{name}.{suffix}", body=b"1B2M2Y8AsgTpgAmY7PhCfg==\n")
    (problem,) = bucket.problems(uri)

    assert (
        f"s3://backups/{FOLDER}/{name}.json: its checksum file {FOLDER}/{name}.{suffix} does not" in problem
    )


def test_an_export_without_checksum_files_is_taken(bucket: Bucket) -> None:
    uri = bucket.export(FULL)
    bucket.store.delete([f"{FOLDER}/manifest-summary.md5", f"{FOLDER}/manifest-files.md5"])

    assert FILES == keys_of(bucket.find(uri))


def test_a_checksum_in_hexadecimal_is_one_too(bucket: Bucket) -> None:
    uri = bucket.export(FULL)
    bucket.put(f"{FOLDER}/manifest-files.json", body=b"")
    bucket.put(f"{FOLDER}/manifest-files.md5", body=b"d41d8cd98f00b204e9800998ecf8427e")
    bucket.edit_summary(FOLDER, itemCount=0)

    assert [] == keys_of(bucket.find(uri))


def test_counts_that_do_not_add_up_are_refused(bucket: Bucket) -> None:
    (problem,) = bucket.problems(bucket.export(FULL, itemCount=12))

    assert "lists 11 items, the itemCount of its summary is 12" in problem


def test_every_missing_file_and_everything_else_is_named_at_once(bucket: Bucket) -> None:
    uri = bucket.export(FULL, itemCount=12, outputFormat="CSV")
    bucket.store.delete(FILES)
    problems = "\n".join(bucket.problems(uri, "s3:/backups"))

    assert [1, 1] == [problems.count(f"{key} is in the manifest but not in the bucket") for key in FILES]
    assert "'s3:/backups' is not s3://bucket/prefix" in problems
    assert "the itemCount" in problems
    assert "outputFormat" in problems


def test_a_file_that_is_listed_twice_is_refused(bucket: Bucket) -> None:
    uri = bucket.export(FULL, itemCount=19)
    bucket.store.delete([f"{FOLDER}/manifest-files.md5"])
    listed = bucket.body(f"{FOLDER}/manifest-files.json")
    bucket.put(f"{FOLDER}/manifest-files.json", body=listed + listed.splitlines()[0])
    (problem,) = bucket.problems(uri)

    assert f"lists s3://backups/{FILES[0]} 2 times" in problem


def test_an_itemcount_below_zero_is_refused(bucket: Bucket) -> None:
    uri = bucket.export(FULL, itemCount=5)
    bucket.store.delete([f"{FOLDER}/manifest-files.md5"])
    listed = bucket.body(f"{FOLDER}/manifest-files.json").replace(b'"itemCount":3', b'"itemCount":-3')
    bucket.put(f"{FOLDER}/manifest-files.json", body=listed)
    (problem,) = bucket.problems(uri)

    assert "has an itemCount below 0" in problem


def test_a_list_of_files_that_is_not_there_is_refused(bucket: Bucket) -> None:
    uri = bucket.export(FULL)
    bucket.store.delete([f"{FOLDER}/manifest-files.json"])
    (problem,) = bucket.problems(uri)

    assert f"s3://backups/{FOLDER}/manifest-files.json is not there" in problem


@pytest.mark.parametrize(
    "body", [b"<html>", b'{"x":' + b"[" * 100_000, b'"\xff"'], ids=["html", "deep", "latin"]
)
@pytest.mark.parametrize("name", ["manifest-summary", "manifest-files"])
def test_a_manifest_that_cannot_be_read_is_refused(bucket: Bucket, name: str, body: bytes) -> None:
    uri = bucket.export(FULL)
    bucket.store.delete([f"{FOLDER}/{name}.md5"])
    bucket.put(f"{FOLDER}/{name}.json", body=body)
    (problem,) = bucket.problems(uri)

    assert f"s3://backups/{FOLDER}/{name}.json is not a" in problem


def test_an_export_of_a_newer_package_is_refused_with_a_hint(bucket: Bucket) -> None:
    (problem,) = bucket.problems(bucket.export(OURS, airflowDynamoPipeline={"version": 99}))
    message, _, hint = problem.partition(" | ")

    assert "has version 99" in message
    assert hint.startswith("upgrade")


def test_an_export_that_was_copied_is_read_where_it_is_now(bucket: Bucket) -> None:
    bucket.export(FULL)
    bucket.move("nightly/AWSDynamoDB/", "restored/elsewhere/")
    copied = [key.replace("nightly/AWSDynamoDB/", "restored/elsewhere/") for key in FILES]
    found = bucket.find(f"s3://backups/restored/elsewhere/{FULL}/")

    assert copied == keys_of(found)
    (said,) = bucket.said
    assert "2 of 2 files are not where it says" in said


def test_files_at_the_keys_of_the_manifest_come_before_a_copy(bucket: Bucket) -> None:
    uri = bucket.export(FULL)
    bucket.move(f"{FOLDER}/manifest", f"copy/AWSDynamoDB/{FULL}/manifest")
    bucket.put(f"copy/AWSDynamoDB/{FULL}/data/asdl123dasas.json.gz")

    assert FILES == keys_of(bucket.find(uri.replace("nightly", "copy")))
    assert [] == bucket.said


def test_a_summary_alone_finds_its_list_where_it_says(bucket: Bucket) -> None:
    bucket.export(FULL)
    bucket.move(f"{FOLDER}/manifest-summary.json", "copy/manifest-summary.json")

    assert FILES == keys_of(bucket.find("s3://backups/copy/manifest-summary.json"))


def test_of_several_exports_one_is_asked_for(bucket: Bucket) -> None:
    uris = [bucket.export(FULL), bucket.export(ION)]
    bucket.put(f"{ROOT}/2023-unfinished/_started", f"{ROOT}/data/shared")
    (problem,) = bucket.problems("s3://backups/nightly/")

    assert f"holds 2 complete exports: {', '.join(uris)}" in problem
    assert "not completed, for want of a manifest-summary.json: 2023-unfinished |" in problem
    assert "give one of them" in problem


def test_an_export_that_was_not_completed_is_named_and_not_counted(bucket: Bucket) -> None:
    bucket.export(FULL)
    bucket.put(f"{ROOT}/2023-unfinished/_started")

    assert FILES == keys_of(bucket.find("s3://backups/nightly/"))
    (said,) = bucket.said
    assert "2023-unfinished" in said


def test_a_prefix_with_nothing_but_unfinished_exports_is_refused(bucket: Bucket) -> None:
    bucket.put(f"{ROOT}/2023-unfinished/_started")
    (problem,) = bucket.problems("s3://backups/nightly/")

    assert "holds no complete export; not completed" in problem
    assert "2023-unfinished" in problem


@pytest.mark.parametrize("uri", [f"s3://backups/{FOLDER}/", summary_uri(FULL)])
def test_an_export_without_its_manifest_is_not_read_as_loose_files(bucket: Bucket, uri: str) -> None:
    bucket.export(FULL)
    bucket.move(f"{FOLDER}/manifest", "gone")
    bucket.put(f"{FOLDER}/loose.json")
    (problem,) = bucket.problems(uri)

    assert "the export was not completed" in problem


def test_the_shared_folder_of_incremental_exports_is_not_read_as_loose_files(bucket: Bucket) -> None:
    bucket.export(FIRST_DAY)
    (problem,) = bucket.problems(f"s3://backups/{ROOT}/data/")

    assert "holds the files of incremental exports" in problem


@pytest.mark.parametrize("uris", [(), ("s3:/x", "nonsense")])
def test_no_location_at_all_is_refused(bucket: Bucket, uris: tuple[str, ...]) -> None:
    assert max(1, len(uris)) == len(bucket.problems(*uris))


def test_locations_in_two_buckets_are_refused(bucket: Bucket) -> None:
    (problem,) = bucket.problems("s3://backups/a", "s3://archive/b")

    assert "archive, backups" in problem


def test_a_format_that_contradicts_the_manifest_is_refused(bucket: Bucket) -> None:
    (problem,) = bucket.problems(bucket.export(FULL), file_format="ion")

    assert f"file_format is 'ion', but the manifest {summary_uri(FULL)} is of 'dynamodb_json'" in problem
    assert "dynamodb_json" == bucket.find(summary_uri(FULL), file_format="dynamodb_json").stages[0].reader


def test_the_identity_is_of_place_and_content(bucket: Bucket) -> None:
    first = bucket.find(bucket.export(FULL)).identity

    assert first == bucket.find("s3n://backups/nightly/").identity
    bucket.edit_summary(FOLDER, endTime="2024-01-01T00:00:00Z")
    edited = bucket.find(summary_uri(FULL)).identity
    bucket.move("nightly/", "copy/")
    copied = bucket.find(summary_uri(FULL, "copy/AWSDynamoDB")).identity
    assert 3 == len({first, edited, copied})


def test_texts_that_are_cut_in_another_place_have_another_fingerprint() -> None:
    assert 3 == len({fingerprint(parts) for parts in ([b"a", b"b"], [b"ab"], [b"ab", b""])})


def test_every_folder_is_listed_once_and_the_whole_bucket_never(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = bucket.export(FULL, itemCount=19)
    bucket.put("top.json.gz")
    bucket.store.delete([f"{FOLDER}/manifest-files.md5"])
    listed = bucket.body(f"{FOLDER}/manifest-files.json")
    at_the_top = listed.splitlines()[0].replace(FILES[0].encode(), b"top.json.gz")
    bucket.put(f"{FOLDER}/manifest-files.json", body=listed + at_the_top)
    prefixes: list[str] = []
    keys = bucket.store.keys

    def recorded(prefix: str) -> Iterator[str]:
        prefixes.append(prefix)
        return keys(prefix)

    with monkeypatch.context() as patch:
        patch.setattr(bucket.store, "keys", recorded)
        bucket.find(uri)
    assert [f"{FOLDER}/data/", "top.json.gz"] == prefixes


def test_the_identity_changes_with_the_list_of_files(bucket: Bucket) -> None:
    first = bucket.find(bucket.export(FULL)).identity
    bucket.store.delete([f"{FOLDER}/manifest-files.md5"])
    bucket.put(f"{FOLDER}/manifest-files.json", body=bucket.body(f"{FOLDER}/manifest-files.json") + b"\n")

    assert first != bucket.find(summary_uri(FULL)).identity
