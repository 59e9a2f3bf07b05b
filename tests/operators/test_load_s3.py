"""Loads that read from S3 and write their results there: Airflow's s3:// paths and s3fs, against moto."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.operators.airflow_run import run_to_end
from tests.operators.broken_store import BUCKET, BrokenStore, broken_store
from tests.operators.load_task import MortalStore, counted, in_org, items, task

ROOT = f"s3://load_s3@{BUCKET}"
WAYS = pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])
UPSERT = {"operation": "upsert", "external_id_field": "Key__c"}
#: So long that a file of 400 rows is uploaded in two pieces.
LONG = "y" * 31_000


@pytest.fixture(scope="module")
def shared_store() -> Iterator[BrokenStore]:
    """One for all tests: Airflow keeps the file system of a connection for as long as the process lives."""
    with broken_store() as running, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AIRFLOW_CONN_LOAD_S3", running.connection)
        yield running


@pytest.fixture
def lake(shared_store: BrokenStore) -> BrokenStore:
    """The store, which refuses nothing and is empty."""
    shared_store.refuses = ""
    for name in shared_store.names():
        shared_store.client.delete_object(Bucket=BUCKET, Key=name)
    return shared_store


@pytest.fixture
def org(items_org: SimulatedOrg) -> SimulatedOrg:
    return items_org


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_json_lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink, row_group_size=5)
    return sink.getvalue()


def packed(content: Callable[[list[dict[str, Any]]], bytes]) -> Callable[[list[dict[str, Any]]], bytes]:
    return lambda rows: gzip.compress(content(rows))


FORMATS = {
    "csv": as_csv,
    "csv.gz": packed(as_csv),
    "jsonl": as_json_lines,
    "jsonl.gz": packed(as_json_lines),
    "parquet": as_parquet,
}


def put(lake: BrokenStore, name: str, content: bytes) -> None:
    lake.client.put_object(Bucket=BUCKET, Key=name, Body=content)


def read(lake: BrokenStore, name: str) -> bytes:
    content: bytes = lake.client.get_object(Bucket=BUCKET, Key=name)["Body"].read()
    return content


def results(lake: BrokenStore, kind: str = "succeeded") -> list[dict[str, str]]:
    """The rows of the result files of a kind, which are those that the receipt lists and no others."""
    receipt = json.loads(read(lake, "results/_receipt.json"))
    listed = [f"results/{part['name']}" for part in receipt["parts"]]
    there = [name for name in lake.names() if name.startswith("results/")]
    assert sorted([*listed, "results/_receipt.json"]) == sorted(there)
    assert lake.uploads() == []
    files = [read(lake, name).decode() for name in listed if name.startswith(f"results/{kind}-")]
    return [row for text in files for row in csv.DictReader(io.StringIO(text, newline=""))]


@WAYS
@pytest.mark.parametrize("ending", FORMATS)
def test_files_that_a_glob_finds(
    org: SimulatedOrg, lake: BrokenStore, context: dict[str, Any], ending: str, deferrable: bool
) -> None:
    rows = items(30)
    for place in range(3):
        put(lake, f"in/deals-{place}.{ending}", FORMATS[ending](rows[10 * place : 10 * place + 10]))
    put(lake, f"in/others-0.{ending}", FORMATS[ending](items(2)))
    put(lake, "in/deals-9.txt", b"not meant")
    source = f"{ROOT}/in/deals-*.{ending}"
    result = run_to_end(task("Item__c", source, results_path=f"{ROOT}/results", deferrable=deferrable), context)
    assert result["records"] == 30
    assert in_org(org) == counted(rows)
    told = {int(row["position"]): (row["file"], row["row"], row["Text__c"]) for row in results(lake)}
    assert told == {
        place + 1: (f"{ROOT}/in/deals-{place // 10}.{ending}", str(place % 10 + 1), row["Text__c"])
        for place, row in enumerate(rows)
    }


@pytest.mark.parametrize("source", ["in/deals-*.csv", "in/deals.csv", "in", "in/_receipt.json"])
def test_a_source_that_is_not_there_is_named(
    org: SimulatedOrg, lake: BrokenStore, context: dict[str, Any], source: str
) -> None:
    with pytest.raises(AirflowFailException, match=f"source: {ROOT}/{source.replace('*', '.')}"):
        run_to_end(task("Item__c", f"{ROOT}/{source}"), context)
    assert org.jobs == {}


def extracted(file_format: str) -> dict[str, Any]:
    operator = SalesforceExtractOperator(
        task_id="extract",
        output_path=f"{ROOT}/extracted",
        sobject="Item__c",
        fields=["Key__c", "Number__c", "Text__c"],
        file_format=file_format,
        poll_interval=0.001,
    )
    result: dict[str, Any] = run_to_end(operator, {"task_state_store": MortalStore()})
    return result


@pytest.mark.parametrize("given", ["summary", "folder", "path"])
@pytest.mark.parametrize("file_format", ["csv", "jsonl", "parquet"])
def test_an_extract_with_its_receipt(
    org: SimulatedOrg, lake: BrokenStore, context: dict[str, Any], file_format: str, given: str
) -> None:
    rows = items(30)
    org.insert("Item__c", rows)
    org.bulk_page_size = 10
    summary = extracted(file_format)
    assert len(json.loads(read(lake, "extracted/_receipt.json"))["parts"]) == 3
    for row in org.rows("Item__c"):
        org.update("Item__c", row["Id"], {"Text__c": "changed meanwhile"})
    source = {"summary": summary, "folder": f"{ROOT}/extracted", "path": f"{ROOT}/extracted/_receipt.json"}[given]
    assert run_to_end(task("Item__c", source, **UPSERT), context)["records"] == 30
    assert in_org(org) == counted(rows)


def damaged(lake: BrokenStore, name: str) -> None:
    content = bytearray(read(lake, name))
    content[len(content) // 2] ^= 1
    put(lake, name, bytes(content))


def cut(lake: BrokenStore, name: str) -> None:
    put(lake, name, read(lake, name)[:-1])


def gone(lake: BrokenStore, name: str) -> None:
    lake.client.delete_object(Bucket=BUCKET, Key=name)


@pytest.mark.parametrize(
    ("harm", "said"), [(damaged, "its SHA-256 differs"), (cut, "its size differs"), (gone, "and it is gone")]
)
def test_an_extract_that_is_not_whole_is_refused(
    org: SimulatedOrg, lake: BrokenStore, context: dict[str, Any], harm: Callable[[BrokenStore, str], None], said: str
) -> None:
    org.insert("Item__c", items(30))
    summary = extracted("csv")
    name = next(name for name in lake.names() if name.endswith(".csv"))
    harm(lake, name)
    with pytest.raises(AirflowFailException, match=said):
        run_to_end(task("Item__c", summary, **UPSERT), context)
    assert [job for job in org.jobs.values() if job["operation"] != "query"] == []


def test_results_replace_those_of_an_earlier_load(
    org: SimulatedOrg, lake: BrokenStore, context: dict[str, Any]
) -> None:
    put(lake, "results/notes.txt", b"mine")
    for count in (24, 3):
        run_to_end(task("Item__c", items(count), results_path=f"{ROOT}/results", **UPSERT), context)
        assert read(lake, "results/notes.txt") == b"mine"
        gone(lake, "results/notes.txt")
        assert len(results(lake)) == count
        put(lake, "results/notes.txt", b"mine")


def test_faults_and_a_dry_run_are_told_there(org: SimulatedOrg, lake: BrokenStore, context: dict[str, Any]) -> None:
    where = {"results_path": f"{ROOT}/results"}
    run_to_end(task("Item__c", items(3), dry_run=True, **where), context)
    assert lake.names() == ["results/_dry_run.json"]
    with pytest.raises(AirflowFailException, match="2 faults"):
        run_to_end(task("Item__c", [{"Number__c": "x"}] * 2, **where), context)
    (faults,) = (name for name in lake.names() if "faults-00000-" in name)
    assert len(read(lake, faults).splitlines()) == 3


@pytest.mark.parametrize("refused", ["/results/.writable", "/elsewhere"])
def test_a_folder_that_cannot_be_written_is_named_before_anything_is_sent(
    org: SimulatedOrg, lake: BrokenStore, context: dict[str, Any], refused: str
) -> None:
    lake.refuses = refused
    path = f"{ROOT}/results" if "results" in refused else "s3://load_s3@elsewhere/results"
    with pytest.raises(AirflowFailException, match=f"results_path: {path} cannot be written"):
        run_to_end(task("Item__c", items(3), results_path=path), context)
    assert org.jobs == {}


@WAYS
@pytest.mark.parametrize("refused", ["succeeded-", "partNumber=2", "failed-", "_receipt.json"])
def test_a_store_that_fails_leaves_nothing_partial_and_a_retry_tells_all(
    org: SimulatedOrg, lake: BrokenStore, context: dict[str, Any], refused: str, deferrable: bool
) -> None:
    """The rows are in Salesforce by then: the retry sends none of them again."""
    rows = items(400)
    rows = [{**row, "Text__c": f"{row['Number__c']} {LONG}"} for row in rows]
    org.add_validation_rule("Item__c", lambda record: record["Number__c"] == 7, "not this one")
    arguments = {
        "results_path": f"{ROOT}/results",
        "max_failed_records": 1,
        "part_bytes": 24 * 2**20,
        "deferrable": deferrable,
    }
    lake.refuses = refused
    with pytest.raises(SalesforceError, match=r"writing to s3://.*/results \(results_path\) failed") as caught:
        run_to_end(task("Item__c", rows, **arguments), context)
    assert caught.value.retryable
    assert "Salesforce keeps the rows that it has accepted" in str(caught.value)
    assert in_org(org) == counted(rows[:7] + rows[8:])
    whole = {"failed-": ["succeeded"], "_receipt.json": ["failed", "succeeded"]}.get(refused, [])
    assert [name.split("/")[1].split("-")[0] for name in lake.names()] == whole
    assert lake.uploads() == []
    lake.refuses = ""
    jobs = len(org.jobs)
    result = run_to_end(task("Item__c", rows, **arguments), context)
    assert result["counts"] == {"read": 400, "sent": 400, "succeeded": 399, "failed": 1, "unprocessed": 0}
    assert in_org(org) == counted(rows[:7] + rows[8:])
    assert len(org.jobs) == jobs + 1  # of the row that was refused
    ids = {row["Number__c"]: row["Id"] for row in org.rows("Item__c")}
    assert {int(row["Number__c"]): row["sf__Id"] for row in results(lake)} == ids
    assert [row["row"] for row in results(lake, "failed")] == ["8"]
    assert context["task_state_store"].values == {}


@pytest.mark.parametrize("operation", ["upsert", "update", "delete"])
def test_a_retry_over_rest_tells_all_as_well(
    org: SimulatedOrg, lake: BrokenStore, context: dict[str, Any], operation: str
) -> None:
    rows = items(24)
    ids = org.insert("Item__c", [{"Key__c": row["Key__c"]} for row in rows])
    source = rows if operation == "upsert" else [{"Id": each, **row} for each, row in zip(ids, rows, strict=True)]
    arguments = {"results_path": f"{ROOT}/results", "transport": "rest", "operation": operation}
    arguments |= UPSERT if operation == "upsert" else {}
    lake.refuses = "succeeded-"
    with pytest.raises(SalesforceError, match=r"\(results_path\) failed"):
        run_to_end(task("Item__c", source, part_bytes=1000, **arguments), context)
    lake.refuses = ""
    result = run_to_end(task("Item__c", source, **arguments), context)
    assert result["counts"]["succeeded"] == 24
    assert [row["sf__Id"] for row in results(lake)] == ids
    assert in_org(org) == (counted([]) if operation == "delete" else counted(rows))


def test_an_insert_over_rest_is_not_sent_again(org: SimulatedOrg, lake: BrokenStore, context: dict[str, Any]) -> None:
    arguments = {"results_path": f"{ROOT}/results", "transport": "rest", "part_bytes": 24 * 2**20}
    lake.refuses = "succeeded-"
    with pytest.raises(SalesforceError, match=r"\(results_path\) failed"):
        run_to_end(task("Item__c", items(24), **arguments), context)
    lake.refuses = ""
    with pytest.raises(AirflowFailException, match="began to insert these rows over REST"):
        run_to_end(task("Item__c", items(24), **arguments), context)
    assert in_org(org) == counted(items(24))
