from __future__ import annotations

import hashlib
from datetime import datetime, time, timezone
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.tables.delta import DeltaSpec
from airflow_provider_sfjwt.transfers.delta import SalesforceToDeltaOperator
from tests.tables.data_sets import ITEM, item, publish, record_id
from tests.transfers.delta_tables import merge, opened, rows

pytest.importorskip("deltalake", reason="missing: the Python package deltalake")


def test_an_increment_inserts_updates_and_deletes_once(table_uri: str, tmp_path: Path) -> None:
    first = publish(tmp_path / "1", [item(number) for number in range(4)], rows_per_part=3)
    assert merge(first, table_uri)["inserted"] == 4
    changes = [item(1, hour=1, deleted=True), item(2, "new", hour=1), item(7, "seven"), item(9, deleted=True)]
    second = publish(tmp_path / "2", changes)
    returned = merge(second, table_uri)
    counts = {name: returned[name] for name in ("staged", "inserted", "updated", "deleted")}
    assert counts == {"staged": 4, "inserted": 1, "updated": 1, "deleted": 1}
    version = opened(table_uri).version()
    assert merge([first, second], table_uri)["already_applied"] == 2
    assert opened(table_uri).version() == version
    expected = {0: "Item 0", 2: "new", 3: "Item 3", 7: "seven"}
    assert rows(table_uri, "Id", "Name") == [(record_id(number), name) for number, name in expected.items()]


def test_records_that_are_listed_as_deleted_leave_the_table(table_uri: str, tmp_path: Path) -> None:
    merge(publish(tmp_path / "1", [item(number, hour=number) for number in range(6)]), table_uri)
    noon = datetime(2026, 11, 1, 3, tzinfo=timezone.utc)
    deleted = {record_id(1): noon, record_id(3): noon, record_id(4): noon, record_id(5): None, record_id(9): noon}
    second = publish(tmp_path / "2", [item(3, "undeleted", hour=4)], deleted=deleted)
    assert merge(second, table_uri)["deleted"] == 2
    assert merge(second, table_uri)["already_applied"] == 1
    expected = {0: "Item 0", 2: "Item 2", 3: "undeleted", 4: "Item 4"}
    assert rows(table_uri, "Id", "Name") == [(record_id(number), name) for number, name in expected.items()]
    with pytest.raises(AirflowFailException, match="must be 'delete' or 'ignore'"):
        merge(publish(tmp_path / "3", [], deleted=deleted), table_uri, deleted="mark")


def test_a_receipt_of_a_chain_waits_for_the_one_before_it(table_uri: str, tmp_path: Path) -> None:
    link = {"receipt_version": 2, "sequence": 2, "previous": {"receipt": "1/_receipt.json", "sha256": "0" * 64}}
    with pytest.raises(AirflowFailException, match=r"number 2 of its chain, and .* lacks the one before it"):
        merge(publish(tmp_path / "2", [item(1)], **link), table_uri)


def test_new_values_of_formula_fields_change_nothing_else(table_uri: str, tmp_path: Path) -> None:
    first = publish(tmp_path / "1", [item(number, Amount__c=1) for number in range(4)], receipt_version=2, sequence=1)
    sha256 = hashlib.sha256((tmp_path / "1" / "_receipt.json").read_bytes()).hexdigest()
    link = {"sequence": 2, "previous": {"receipt": "1/_receipt.json", "sha256": sha256}}
    new = [{"Id": record_id(number), "Amount__c": amount} for number, amount in ((1, 5), (2, None), (3, 1), (9, 7))]
    types = {"Id": ITEM["Id"], "Amount__c": ITEM["Amount__c"]}
    second = publish(tmp_path / "2", new, types=types, receipt_version=2, kind="formulas", **link)
    returned = merge([second, first], table_uri, deleted="mark")
    assert [returned[name] for name in ("inserted", "updated", "deleted")] == [4, 2, 0]
    amounts = {0: Decimal(1), 1: Decimal(5), 2: None, 3: Decimal(1)}
    expected = [(record_id(number), f"Item {number}", amount) for number, amount in amounts.items()]
    assert rows(table_uri, "Id", "Name", "Amount__c") == expected
    assert merge([first, second], table_uri)["already_applied"] == 2
    with pytest.raises(AirflowFailException, match="have Id and formula fields alone"):
        merge(second, f"file://{tmp_path}/other", mode="append")


def test_an_extract_without_rows_is_applied(table_uri: str, tmp_path: Path) -> None:
    merge(publish(tmp_path / "1", [item(1)]), table_uri)
    for place, mode in enumerate(["merge", "append"]):
        source = publish(tmp_path / mode, [], job_id=f"750{place}")
        assert merge(source, table_uri, mode=mode)["already_applied"] == 0
        assert merge(source, table_uri, mode=mode)["already_applied"] == 1
    assert rows(table_uri, "Id") == [(record_id(1),)]


def test_an_older_state_changes_nothing(table_uri: str, tmp_path: Path) -> None:
    merge(publish(tmp_path / "1", [item(1, "newest", hour=5), item(2, "kept", hour=5)]), table_uri)
    source = publish(tmp_path / "2", [item(1, "older", hour=4), item(2, hour=4, deleted=True)])
    merge(source, table_uri)
    assert merge(source, table_uri)["already_applied"] == 1
    assert rows(table_uri, "Name") == [("newest",), ("kept",)]


@pytest.mark.parametrize(
    ("deleted", "expected"),
    [("mark", [("Item 1", False), ("gone", True)]), ("ignore", [("Item 1", False), ("Item 2", False)])],
)
def test_deleted_rows_do_what_the_task_says(tmp_path: Path, deleted: str, expected: list[tuple[str, bool]]) -> None:
    uri = f"file://{tmp_path}/table"
    merge(publish(tmp_path / "1", [item(1), item(2)]), uri, deleted=deleted)
    merge(publish(tmp_path / "2", [item(2, "gone", hour=1, deleted=True)]), uri, deleted=deleted)
    assert rows(uri, "Name", "IsDeleted") == expected


def test_append_keeps_every_row_once(table_uri: str, tmp_path: Path) -> None:
    source = publish(tmp_path / "1", [item(1), item(1, deleted=True)])
    assert merge(source, table_uri, mode="append")["inserted"] == 2
    assert merge(source, table_uri, mode="append")["already_applied"] == 1
    assert len(rows(table_uri, "Id")) == 2


@pytest.mark.parametrize("mode", ["merge", "append"])
def test_new_columns_are_added_or_refused(tmp_path: Path, mode: str) -> None:
    uri = f"file://{tmp_path}/table"
    types = {name: kind for name, kind in ITEM.items() if name != "Owner.Name"}
    merge(publish(tmp_path / "1", [item(1)], types=types), uri, mode=mode)
    source = publish(tmp_path / "2", [item(2, **{"Owner.Name": "Ada"})])
    with pytest.raises(AirflowFailException, match="lacks Owner.Name, and schema_evolution is 'fail'"):
        merge(source, uri, mode=mode, schema_evolution="fail")
    assert merge(source, uri, mode=mode)["columns_added"] == ["Owner.Name"]
    assert rows(uri, "Id", "Owner.Name") == [(record_id(1), None), (record_id(2), "Ada")]


def test_columns_that_only_decide_stay_out_of_the_table(tmp_path: Path) -> None:
    uri = f"file://{tmp_path}/table"
    merge(publish(tmp_path / "1", [item(1), item(2)]), uri, columns=["Id", "Name"], naming="snake")
    returned = merge(
        publish(tmp_path / "2", [item(1, hour=1, deleted=True)]), uri, columns=["Id", "Name"], naming="snake"
    )
    assert returned["deleted"] == 1
    assert opened(uri).to_pyarrow_table().to_pylist() == [{"id": record_id(2), "name": "Item 2"}]


def test_values_come_back_as_they_were(tmp_path: Path) -> None:
    uri = f"file://{tmp_path}/table"
    moment = datetime(2026, 3, 29, 1, 30, 0, 999000, tzinfo=timezone.utc)
    types = {
        "Id": pa.string(), "Text": pa.string(), "Flag": pa.bool_(), "Whole": pa.int64(), "Exact": pa.decimal128(38, 18),
        "Double": pa.float64(), "Day": pa.date32(), "Time": pa.time32("ms"), "At": pa.timestamp("ms", tz="UTC"),
    }  # fmt: skip
    values = {
        "Text": 'a"b\n\0東京 🚀', "Flag": True, "Whole": -(2**63), "Double": 5e-324, "Day": moment.date(), "At": moment,
        "Exact": Decimal("99999999999999999999.999999999999999999"),
    }  # fmt: skip
    merge(publish(tmp_path / "1", [{"Id": "1", "Time": time(10, 0, 0, 1000), **values}, {"Id": "2"}], types=types), uri)
    assert rows(uri, *values) == [tuple(values.values()), (None,) * len(values)]
    assert rows(uri, "Time") == [("10:00:00.001",), (None,)]


def test_bad_input_changes_nothing(tmp_path: Path) -> None:
    uri = f"file://{tmp_path}/table"
    window = ("2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z")
    merge(publish(tmp_path / "1", [item(1)], window=window, org_id="00D000000000001AAA"), uri)
    version = opened(uri).version()
    older = ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z")
    broken = publish(tmp_path / "2", [item(2)])
    next((tmp_path / "2").glob("part-*")).write_bytes(b"other")
    cases = [
        (broken, "SHA-256 differs"),
        (publish(tmp_path / "3", [item(3), item(3)]), "key: Id does not tell the rows of the extract apart"),
        (publish(tmp_path / "4", [item(3), {"Name": "x"}]), "key: some rows of the extract have no Id"),
        (publish(tmp_path / "5", [item(3)], window=older), "ends before the newest window"),
        (publish(tmp_path / "6", [item(3)], sobject="Account"), "holds rows of sobject Item__c"),
        (publish(tmp_path / "7", [item(3)], org_id="00D000000000002AAA"), "holds rows of org_id 00D000000000001AAA"),
        (f"file://{tmp_path}/nowhere", "holds no _receipt.json"),
    ]
    for source, message in cases:
        with pytest.raises(AirflowFailException, match=message):
            merge(source, uri)
    with pytest.raises(AirflowFailException, match="neither on S3 nor on local files"):
        merge(broken, "memory://x/y")
    with pytest.raises(AirflowFailException, match="mode: 'replace' is not one of merge, append"):
        merge(broken, uri, mode="replace")
    assert opened(uri).version() == version


def test_the_operator_has_the_arguments_and_defaults_of_the_spec() -> None:
    task = SalesforceToDeltaOperator(task_id="merge", source="file:///x", table_uri="file:///t")
    assert DeltaSpec.of(task) == DeltaSpec(source="file:///x", table_uri="file:///t")
