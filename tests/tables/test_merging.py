"""What a merge does to a table, the same in every database."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.tables import MergeReport
from tests.tables.data_sets import ITEM, item, publish, record_id
from tests.tables.databases import TestDatabase

Into = Callable[..., MergeReport]


def names(database: TestDatabase) -> dict[str, str]:
    return dict(database.rows("items", ["Id", "Name"]))


def counts(report: MergeReport) -> tuple[int, int, int, int, int]:
    return report.staged, report.inserted, report.updated, report.unchanged, report.deleted


def test_an_increment_inserts_updates_and_deletes(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    first = publish(tmp_path / "1", [item(number) for number in range(6)], rows_per_part=4)
    changed = [item(1), item(2, "new", hour=1), item(3, hour=1, deleted=True), item(9, deleted=True), item(7)]

    assert counts(into(first)) == (6, 6, 0, 0, 0)
    assert counts(into(publish(tmp_path / "2", changed))) == (5, 1, 1, 1, 1)

    expected = {0: "Item 0", 1: "Item 1", 2: "new", 4: "Item 4", 5: "Item 5", 7: "Item 7"}
    assert names(database) == {record_id(number): name for number, name in expected.items()}


def test_an_undeleted_row_comes_back(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    into(publish(tmp_path / "1", [item(1)]))
    into(publish(tmp_path / "2", [item(1, hour=1, deleted=True)]))
    assert names(database) == {}
    into(publish(tmp_path / "3", [item(1, hour=2)]))
    assert names(database) == {record_id(1): "Item 1"}


def test_an_older_state_changes_and_deletes_nothing(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    into(publish(tmp_path / "1", [item(1, "newest", hour=5), item(2, "kept", hour=5)]))
    report = into(publish(tmp_path / "2", [item(1, "older", hour=4), item(2, hour=4, deleted=True)]))
    assert counts(report) == (2, 0, 0, 1, 0)
    assert names(database) == {record_id(1): "newest", record_id(2): "kept"}


def test_records_that_are_listed_as_deleted_leave_before_the_rows_come(
    database: TestDatabase, into: Into, tmp_path: Path
) -> None:
    into(publish(tmp_path / "1", [item(number, hour=number) for number in range(6)]))
    noon = datetime(2026, 11, 1, 3, tzinfo=timezone.utc)
    deleted = {record_id(1): noon, record_id(3): noon, record_id(4): noon, record_id(5): None, record_id(9): noon}

    report = into(publish(tmp_path / "2", [item(3, "undeleted", hour=4)], deleted=deleted))

    # 4 changed after that moment: it is alive. 5 is gone whatever is known of it. 3 was deleted, and came back.
    assert (report.inserted, report.updated, report.deleted) == (1, 0, 3)
    expected = {0: "Item 0", 2: "Item 2", 3: "undeleted", 4: "Item 4"}
    assert names(database) == {record_id(number): name for number, name in expected.items()}


def test_records_that_are_listed_as_deleted_are_marked_or_ignored(
    database: TestDatabase, into: Into, tmp_path: Path
) -> None:
    sets = [publish(tmp_path / "1", [item(1), item(2)]), publish(tmp_path / "2", [], deleted={record_id(1): None})]
    assert into(sets, deleted="ignore").deleted == 0
    assert database.count("items") == 2
    assert into(sets, deleted="mark", table="marked").deleted == 0
    marked = {record for record, deleted in database.rows("marked", ["Id", "IsDeleted"]) if deleted}
    assert marked == {record_id(1)}
    with pytest.raises(ConfigurationError, match="lists deleted records by Id"):
        into(sets, key="Name", table="by_name")


def test_a_chain_is_merged_in_its_order_and_each_receipt_once(
    database: TestDatabase, into: Into, tmp_path: Path
) -> None:
    days = [(f"2026-11-0{day}T00:00:00.000Z", f"2026-11-0{day + 1}T00:00:00.000Z") for day in (1, 2, 3)]
    sets: list[str] = []
    previous: dict[str, str] | None = None
    for number, day in enumerate(days, 1):
        link = {"receipt_version": 2, "sequence": number, "previous": previous}
        sets.append(publish(tmp_path / str(number), [item(number)], window=day, **link))
        text = (tmp_path / str(number) / "_receipt.json").read_bytes()
        previous = {"receipt": f"{number}/_receipt.json", "sha256": hashlib.sha256(text).hexdigest()}

    with pytest.raises(ConfigurationError, match=r"number 2 of its chain, and .* lacks the one before it, 1/_receipt"):
        into(sets[1])
    assert into(sets[0]).inserted == 1
    with pytest.raises(ConfigurationError, match="number 3 of its chain"):
        into(sets[2])
    report = into(sets)
    assert (report.already_applied, report.inserted) == (1, 2)
    assert into(sets).already_applied == 3
    assert database.count("items") == 3


def _with_formulas(folder: Path) -> list[str]:
    """A chain whose second link has a new amount of item 1, null for item 2, and one of an item that is not there."""
    sets = [publish(folder / "1", [item(number, Amount__c=1) for number in range(4)], receipt_version=2, sequence=1)]
    text = (folder / "1" / "_receipt.json").read_bytes()
    previous = {"receipt": "1/_receipt.json", "sha256": hashlib.sha256(text).hexdigest()}
    amounts = {1: 5, 2: None, 3: 1, 9: 7}
    rows = [{"Id": record_id(number), "Amount__c": amount} for number, amount in amounts.items()]
    types = {"Id": ITEM["Id"], "Amount__c": ITEM["Amount__c"]}
    link = {"receipt_version": 2, "kind": "formulas", "sequence": 2, "previous": previous}
    return [*sets, publish(folder / "2", rows, types=types, **link)]


@pytest.mark.parametrize("deleted", ["delete", "mark"])
def test_new_values_of_formula_fields_change_nothing_else(
    database: TestDatabase, into: Into, tmp_path: Path, deleted: str
) -> None:
    sets = _with_formulas(tmp_path)
    report = into(sets[::-1], deleted=deleted, columns=["Id", "Name", "Amount__c", "IsDeleted"])
    assert counts(report) == (8, 4, 2, 2, 0)
    assert names(database) == {record_id(number): f"Item {number}" for number in range(4)}
    amounts = dict(database.rows("items", ["Id", "Amount__c"]))
    assert [None if each is None else float(each) for _, each in sorted(amounts.items())] == [1, 5, None, 1]
    assert into(sets).already_applied == 2


def test_new_values_of_formula_fields_go_into_no_row_that_lacks_the_rest(
    database: TestDatabase, into: Into, tmp_path: Path
) -> None:
    sets = _with_formulas(tmp_path)
    with pytest.raises(ConfigurationError, match="lacks the one before it"):
        into(sets[1])
    for mode in ("append", "replace"):
        into(sets[0], mode=mode, table=mode)
        with pytest.raises(ConfigurationError, match="have Id and formula fields alone"):
            into(sets[1], mode=mode, table=mode)
    into(sets[0], key="Name", table="by_name")
    with pytest.raises(ConfigurationError, match="come by Id"):
        into(sets, key="Name", table="by_name")
    into(sets, mode="replace")
    assert database.count("items") == 4


def test_a_chain_of_whole_tables_replaces_the_table(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    link = {"receipt_version": 2, "kind": "full", "previous": {"receipt": "1/_receipt.json", "sha256": "0" * 64}}
    second = publish(tmp_path / "2", [item(1), item(2)], sequence=2, **link)
    with pytest.raises(ConfigurationError, match=r"would keep rows that Item__c no longer has.*mode='replace'"):
        into(second)
    assert into(second, mode="replace").inserted == 2
    assert into(publish(tmp_path / "3", [item(2)], sequence=3, **link), mode="replace").inserted == 1
    assert names(database) == {record_id(2): "Item 2"}


def test_null_replaces_a_value_and_a_value_null(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    into(publish(tmp_path / "1", [item(1, Amount__c=Decimal(5)), item(2)]))
    report = into(publish(tmp_path / "2", [item(1, hour=1), item(2, hour=1, Amount__c=Decimal("0.5"))]))
    assert report.updated == 2
    assert database.rows("items", ["Amount__c"]) == [(None,), (database.value(Decimal("0.5")),)]


@pytest.mark.parametrize(
    ("deleted", "expected"),
    [
        ("delete", {1: ("Item 1", False)}),
        ("mark", {1: ("Item 1", False), 2: ("gone", True), 3: ("unknown", True)}),
        ("ignore", {1: ("Item 1", False), 2: ("Item 2", False)}),
    ],
)
def test_deleted_rows_do_what_the_task_says(
    database: TestDatabase, into: Into, tmp_path: Path, deleted: str, expected: dict[int, tuple[str, bool]]
) -> None:
    into(publish(tmp_path / "1", [item(1), item(2)]), deleted=deleted)
    into(
        publish(tmp_path / "2", [item(2, "gone", hour=1, deleted=True), item(3, "unknown", deleted=True)]),
        deleted=deleted,
    )
    found = {row[0]: (row[1], bool(row[2])) for row in database.rows("items", ["Id", "Name", "IsDeleted"])}
    assert found == {record_id(number): value for number, value in expected.items()}


def test_append_keeps_every_row(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    first = publish(tmp_path / "1", [item(1), item(1)])
    assert counts(into(first, mode="append")) == (2, 2, 0, 0, 0)
    assert into(first, mode="append").already_applied == 1
    into(publish(tmp_path / "2", [item(1, hour=1, deleted=True)]), mode="append")
    assert database.count("items") == 3


def test_replace_leaves_the_rows_of_the_extract_alone(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    sets = [publish(tmp_path / str(place), [item(place), item(place + 1, deleted=True)]) for place in range(3)]
    assert counts(into(sets[0], mode="replace")) == (2, 1, 0, 0, 0)
    assert counts(into(sets[1], mode="replace")) == (2, 1, 0, 0, 1)
    assert into(sets[1], mode="replace").already_applied == 1
    into([sets[0], sets[2]], mode="replace")
    assert names(database) == {record_id(0): "Item 0", record_id(2): "Item 2"}
    # It was applied, and something else replaced it since.
    assert into(sets[1], mode="replace").already_applied == 0
    assert names(database) == {record_id(1): "Item 1"}


def test_replace_by_nothing_has_to_be_allowed(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    into(publish(tmp_path / "1", [item(1)]))
    empty = publish(tmp_path / "2", [])
    with pytest.raises(ConfigurationError, match=r"source: has no rows, and would leave .*items empty; allow_empty"):
        into(empty, mode="replace")
    assert database.count("items") == 1
    assert into(empty, mode="replace", allow_empty=True).deleted == 1
    assert database.count("items") == 0


def test_an_extract_without_rows_is_applied(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    source = publish(tmp_path / "1", [])
    assert counts(into(source)) == (0, 0, 0, 0, 0)
    assert into(source).already_applied == 1
    assert database.count("items") == 0


def test_several_extracts_are_merged_in_the_order_of_their_windows(
    database: TestDatabase, into: Into, tmp_path: Path
) -> None:
    newer = publish(tmp_path / "1", [item(1, deleted=True)], window=("2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z"))
    older = publish(tmp_path / "2", [item(1), item(2)], window=("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"))
    report = into([newer, older])
    assert (report.data_sets, report.staged, report.inserted, report.deleted) == (2, 3, 2, 1)
    assert names(database) == {record_id(2): "Item 2"}
    assert into([{"receipt": f"{newer}/_receipt.json"}, f"{older}/_receipt.json"]).already_applied == 2


def test_columns_are_chosen_mapped_and_left_out(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    source = publish(tmp_path / "1", [item(1, **{"Owner.Name": "Ada"}), item(2, deleted=True)])
    into(source, columns=["id", "NAME", "Owner.Name"], column_mapping={"Name": "title", "owner.name": None})
    assert database.rows("items", ["Id", "title"]) == [(record_id(1), "Item 1")]
    assert len(database.run("SELECT * FROM items")[0]) == 2


def test_deletes_work_where_isdeleted_stays_out_of_the_table(
    database: TestDatabase, into: Into, tmp_path: Path
) -> None:
    into(publish(tmp_path / "1", [item(1), item(2)]), columns=["Id", "Name"])
    report = into(publish(tmp_path / "2", [item(1, hour=1, deleted=True)]), columns=["Id", "Name"])
    assert report.deleted == 1
    assert names(database) == {record_id(2): "Item 2"}


def test_snake_case_names(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    into(publish(tmp_path / "1", [item(1, **{"Owner.Name": "Ada"})]), naming="snake")
    columns = ["id", "name", "amount_c", "owner_name", "is_deleted"]
    assert database.rows("items", columns, order="id")[0][3] == "Ada"
    assert into(publish(tmp_path / "2", [item(1, "b", hour=1)]), naming="snake").updated == 1


@pytest.mark.parametrize("name", ["Order", "select", 'a"b', "a%b", "a?b", "a b", "UPPER", "ä", "c0", "t", "s", "$1"])
def test_any_name_of_a_column_and_of_a_table_works(
    database: TestDatabase, into: Into, tmp_path: Path, name: str
) -> None:
    types = {"Id": pa.string(), name: pa.string(), "SystemModstamp": ITEM["SystemModstamp"]}
    table = '"' + f"{name}.x".replace('"', '""') + '"'
    rows = [{"Id": "1", name: "a"}]
    into(publish(tmp_path / "1", rows, types=types), table=table)
    assert into(publish(tmp_path / "2", [{"Id": "1", name: "b"}], types=types), table=table).updated == 1
    quoted = name.replace('"', '""')
    assert database.run(f'SELECT "{quoted}" FROM {table}') == [("b",)]


def test_a_key_of_several_columns(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    types = {"Year": pa.int64(), "Region": pa.string(), "Sum": pa.int64()}
    key = ["Year", "Region"]
    rows = [{"Year": 2025, "Region": "N", "Sum": 1}, {"Year": 2025, "Region": "S", "Sum": 2}]
    into(publish(tmp_path / "1", rows, types=types, sobject=None), key=key)
    more = [{"Year": 2025, "Region": "S", "Sum": 5}, {"Year": 2026, "Region": "S", "Sum": 3}]
    assert counts(into(publish(tmp_path / "2", more, types=types, sobject=None), key=key)) == (2, 1, 1, 0, 0)
    assert database.rows("items", ["Sum"], order="Sum") == [(1,), (3,), (5,)]


def test_a_table_of_keys_alone(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    into(publish(tmp_path / "1", [item(1)]), columns=["Id"])
    assert counts(into(publish(tmp_path / "2", [item(1), item(2)]), columns=["Id"])) == (2, 1, 0, 1, 0)


def test_the_ledger_tells_what_was_merged(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    window = ("2026-11-01T00:00:00+01:00", "2026-11-02T00:00:00+01:00")
    source = publish(tmp_path / "1", [item(1), item(2)], window=window, org_id="00D000000000001AAA")
    into(source, ledger_table="journal")
    ((row),) = database.run(
        "SELECT sobject, mode, records, inserted, updated, deleted, columns_added, folder, target, window_end FROM journal"
    )
    assert row[:8] == ("Item__c", "merge", 2, 2, 0, 0, "", source)
    assert row[8].endswith("items")
    assert str(row[9]).startswith("2026-11-01") and "23:00:00" in str(row[9])


def test_an_older_window_is_refused_unless_it_is_allowed(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    days = [(f"2026-11-0{day}T00:00:00.000Z", f"2026-11-0{day + 1}T00:00:00.000Z") for day in (1, 2, 3)]
    sets = [publish(tmp_path / str(place), [item(place)], window=day) for place, day in enumerate(days)]
    into(sets[1])
    with pytest.raises(
        ConfigurationError, match=r"ends at 2026-11-02T00:00:00.000Z, and .*items was merged up to 2026"
    ):
        into(sets[0])
    into(sets[2])
    assert into(sets[0], allow_older=True).inserted == 1
    assert into(sets[1]).already_applied == 1
    assert database.count("items") == 3


def test_another_object_and_another_org_are_refused(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    into(publish(tmp_path / "1", [item(1)], org_id="00D000000000001AAA"))
    with pytest.raises(ConfigurationError, match=r"holds rows of the object Item__c, and .* has rows of Account"):
        into(publish(tmp_path / "2", [item(2)], sobject="Account"))
    with pytest.raises(ConfigurationError, match=r"of the org 00D000000000001AAA, and .* of 00D000000000002AAA"):
        into(publish(tmp_path / "3", [item(2)], org_id="00D000000000002AAA"))
    both = [
        publish(tmp_path / str(place), [item(place)], sobject=name) for place, name in ((4, "Item__c"), (5, "Lead"))
    ]
    with pytest.raises(ConfigurationError, match=r"holds rows of the object Item__c, and .* has rows of Lead"):
        into(both, table="fresh")
    assert database.count("items") == 1


def test_two_tables_share_a_ledger(database: TestDatabase, into: Into, tmp_path: Path) -> None:
    source = publish(tmp_path / "1", [item(1)])
    into(source)
    assert into(source, table="others").inserted == 1
    assert database.count("sfjwt_ledger") == 2


def test_a_table_in_a_schema(database: TestDatabase, into: Into, tmp_path: Path, request: Any) -> None:
    if database.label == "sqlite":
        assert into(publish(tmp_path / "1", [item(1)]), table="main.items").table == "main.items"
        return
    database.run("CREATE SCHEMA sales")
    assert into(publish(tmp_path / "1", [item(1)]), table="sales.items").table.endswith("sales.items")
    assert database.count("sales.items") == database.count("sales.sfjwt_ledger") == 1
