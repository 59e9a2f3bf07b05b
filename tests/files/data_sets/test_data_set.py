from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_sfjwt.exceptions import ConfigurationError, ProtocolError, SalesforceError
from airflow_provider_sfjwt.files.data_sets.data_set import DataSetFolder
from airflow_provider_sfjwt.files.data_sets.receipt import Counts, Receipt, column_entry, drift_between, read_receipt
from airflow_provider_sfjwt.files.formats.registry import OutputFormat
from airflow_provider_sfjwt.files.storage.receipts import RECEIPT_NAME, Writer, kind_of_receipt
from airflow_provider_sfjwt.files.values.columns import Column
from tests.files.bodies import ChunkedBody, salesforce_csv

CSV = OutputFormat("csv")
JOB, OTHER_JOB = "7505e0000000001AAA", "7505e0000000002AAA"
COLUMNS = (Column("Id", "id"), Column("Name", "string"))


def publish(folder: DataSetFolder, job_id: str, rows: int = 2, writer: Writer | None = None) -> Receipt:
    page = salesforce_csv([["Id", "Name"], *([["1", "x"]] * rows)])
    part = folder.write_page(0, job_id, CSV, ChunkedBody(page), COLUMNS).part
    receipt = Receipt(
        sobject="Account", soql="SELECT Id, Name FROM Account", window=None, job_id=job_id, api_version="67.0",
        records=rows, counts=Counts(rows, rows, rows), parts=(part,),
        columns=tuple(column_entry(column) for column in COLUMNS), drift=None, file_format="csv", api_calls=5,
        seconds=1.0, package_version="0", output_path=folder.path, written_by=writer,
    )  # fmt: skip
    folder.publish(receipt)
    folder.clear_replaced()
    return receipt


def names(path: Path) -> set[str]:
    return {each.name for each in path.iterdir()}


def test_a_re_run_replaces_its_own_output_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "part-00000-7505e0000000009AAA.csv").write_text("left by an attempt that broke off")
    (tmp_path / "_page-00000-7505e0000000009AAA.json").write_text("{}")
    (tmp_path / "part-00000-rest0123456789ab.csv").write_text("left by an attempt over REST")
    for job_id in (JOB, OTHER_JOB):
        folder = DataSetFolder(f"file://{tmp_path}")
        folder.prepare(CSV)
        publish(folder, job_id)
    assert names(tmp_path) == {"notes.txt", f"part-00000-{OTHER_JOB}.csv", RECEIPT_NAME}


def test_a_receipt_reads_back_as_it_was_written(tmp_path: Path) -> None:
    written = publish(DataSetFolder(f"file://{tmp_path}"), JOB)
    assert DataSetFolder(f"file://{tmp_path}").previous_receipt == written
    content = json.loads((tmp_path / RECEIPT_NAME).read_text())
    assert content["receipt_version"] == 2
    assert "output_path" not in content


def test_a_job_that_came_to_nothing_leaves_the_published_data_set(tmp_path: Path) -> None:
    publish(DataSetFolder(f"file://{tmp_path}"), JOB)
    again = DataSetFolder(f"file://{tmp_path}")
    again.prepare(CSV)
    again.write_page(0, OTHER_JOB, CSV, ChunkedBody(b""), COLUMNS)
    again.discard(OTHER_JOB)
    assert names(tmp_path) == {f"part-00000-{JOB}.csv", RECEIPT_NAME}


def test_what_another_attempt_published_meanwhile_is_not_discarded(tmp_path: Path) -> None:
    slow, quick = DataSetFolder(f"file://{tmp_path}"), DataSetFolder(f"file://{tmp_path}")
    slow.prepare(CSV)
    slow.part(0, JOB, CSV)  # the same job, picked up by a second attempt
    publish(quick, JOB)
    slow.discard(JOB)
    assert names(tmp_path) == {f"part-00000-{JOB}.csv", RECEIPT_NAME}


def test_a_receipt_is_not_written_for_parts_that_somebody_removed(tmp_path: Path) -> None:
    folder = DataSetFolder(f"file://{tmp_path}")
    receipt = publish(folder, JOB)
    (tmp_path / RECEIPT_NAME).unlink()
    (tmp_path / f"part-00000-{JOB}.csv").unlink()
    with pytest.raises(SalesforceError, match="another run writes to the same folder") as caught:
        folder.publish(receipt)
    assert caught.value.retryable
    assert names(tmp_path) == set()


def test_parts_of_others_are_not_mixed_with_ours(tmp_path: Path) -> None:
    (tmp_path / "part-00000-spark.csv").write_text("x")
    with pytest.raises(ConfigurationError) as caught:
        DataSetFolder(f"file://{tmp_path}").prepare(CSV)
    assert "part-00000-spark.csv" in caught.value.fields["output_path"]
    assert names(tmp_path) == {"part-00000-spark.csv"}


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigurationError) as caught:
        DataSetFolder(f"file://{tmp_path}/file/below").prepare(CSV)
    assert f"{tmp_path}/file/below cannot be written" in caught.value.fields["output_path"]


def test_a_storage_that_does_not_exist_is_named() -> None:
    with pytest.raises(ConfigurationError) as caught:
        DataSetFolder("nosuch://bucket/x").prepare(CSV)
    assert list(caught.value.fields) == ["output_path"]


@pytest.mark.parametrize("text", ["", "[]", '{"receipt_version": 1}', '{"receipt_version": 2}'])
def test_what_is_no_receipt_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / RECEIPT_NAME).write_text(text)
    with pytest.raises(ProtocolError, match=r"_receipt\.json is not a receipt|version 2"):
        _ = DataSetFolder(f"file://{tmp_path}").previous_receipt


def test_drift_names_columns(tmp_path: Path) -> None:
    before = publish(DataSetFolder(f"file://{tmp_path}"), JOB)
    now = (column_entry(Column("Id", "id")), column_entry(Column("Name", "int")), column_entry(Column("New__c")))
    assert drift_between(before, now) == {"added": ["New__c"], "removed": [], "retyped": ["Name"]}
    assert drift_between(before, now[:1]) == {"added": [], "removed": ["Name"], "retyped": []}
    assert drift_between(None, now) is None


LOADED = '{"report_version": 1, "sobject": "Account", "parts": []}\n'


def test_a_receipt_tells_whose_it_is(tmp_path: Path) -> None:
    publish(DataSetFolder(f"file://{tmp_path}"), JOB)
    assert kind_of_receipt((tmp_path / RECEIPT_NAME).read_text()) == "extract"
    assert kind_of_receipt(LOADED) == "load"
    assert [kind_of_receipt(text) for text in ("", "[]", "{}", "5")] == [None] * 4


def test_the_results_folder_of_a_load_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / RECEIPT_NAME).write_text(LOADED)
    with pytest.raises(ConfigurationError, match="is the results folder of a load") as caught:
        DataSetFolder(f"file://{tmp_path}").prepare(CSV)
    assert list(caught.value.fields) == ["output_path"]
    with pytest.raises(ProtocolError, match="is the results folder of a load: its _receipt.json is the load's report"):
        read_receipt(ObjectStoragePath(f"file://{tmp_path}"))
    assert (tmp_path / RECEIPT_NAME).read_text() == LOADED


def test_a_load_that_published_meanwhile_is_left_alone_and_our_parts_go(tmp_path: Path) -> None:
    folder = DataSetFolder(f"file://{tmp_path}")
    folder.prepare(CSV)
    (tmp_path / RECEIPT_NAME).write_text(LOADED)
    with pytest.raises(ConfigurationError, match="is the results folder of a load"):
        publish(folder, JOB)
    folder.discard(JOB)
    assert names(tmp_path) == {RECEIPT_NAME}
    assert (tmp_path / RECEIPT_NAME).read_text() == LOADED


FIRST = Writer("dag", "run", "extract", 0)


@pytest.mark.parametrize("other", [replace(FIRST, map_index=1), replace(FIRST, task_id="second", map_index=-1)])
def test_two_task_instances_of_one_run_do_not_share_a_folder(tmp_path: Path, other: Writer) -> None:
    publish(DataSetFolder(f"file://{tmp_path}"), JOB, writer=FIRST)
    with pytest.raises(ConfigurationError, match=r"holds what task 'extract', map index 0 extracted") as caught:
        DataSetFolder(f"file://{tmp_path}").prepare(CSV, other)
    assert "add e.g. {{ ti.task_id }}/{{ ti.map_index }} to the path" in caught.value.fields["output_path"]


def test_a_task_instance_of_the_same_run_that_was_quicker_is_not_replaced(tmp_path: Path) -> None:
    quick, slow = DataSetFolder(f"file://{tmp_path}"), DataSetFolder(f"file://{tmp_path}")
    slow.prepare(CSV, replace(FIRST, map_index=1))
    published = publish(quick, JOB, writer=FIRST)
    with pytest.raises(ConfigurationError, match="map index 1 would replace it"):
        publish(slow, OTHER_JOB, writer=replace(FIRST, map_index=1))
    assert read_receipt(ObjectStoragePath(f"file://{tmp_path}")) == published


@pytest.mark.parametrize("other", [FIRST, replace(FIRST, run_id="next"), replace(FIRST, dag_id="other"), None])
def test_the_same_instance_and_another_run_replace(tmp_path: Path, other: Writer | None) -> None:
    publish(DataSetFolder(f"file://{tmp_path}"), JOB, writer=FIRST)
    again = DataSetFolder(f"file://{tmp_path}")
    again.prepare(CSV, other)
    publish(again, OTHER_JOB, writer=other)
    assert names(tmp_path) == {f"part-00000-{OTHER_JOB}.csv", RECEIPT_NAME}
    assert ("written_by" in json.loads((tmp_path / RECEIPT_NAME).read_text())) == (other is not None)
