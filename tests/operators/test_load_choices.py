"""What an author may choose about a load: nulls, names of columns, parents by keys, order, files, who owns new records."""

from __future__ import annotations

import csv
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.operators.load_task import LoadInParts, report_in, results_in, write_csv
from tests.operators.things import load

TRANSPORTS = pytest.mark.parametrize("transport", ["bulk", "rest"])


def things(org: SimulatedOrg) -> dict[str, dict[str, Any]]:
    return {row["Key__c"]: row for row in org.rows("Thing__c")}


def parts_in(folder: Path) -> list[list[dict[str, str]]]:
    """The rows of each part, in its order."""
    parts = []
    for part in sorted(report_in(folder)["parts"], key=lambda part: str(part["name"])):
        with (folder / part["name"]).open(encoding="utf-8", newline="") as file:
            parts.append(list(csv.DictReader(file)))
    return parts


@pytest.fixture
def org(things_org: SimulatedOrg) -> SimulatedOrg:
    return things_org


@TRANSPORTS
@pytest.mark.parametrize(("policy", "left"), [("ignore", "before"), ("clear", None)])
def test_an_empty_cell_does_what_the_null_policy_says(
    org: SimulatedOrg, transport: str, policy: str, left: str | None
) -> None:
    load([{"Key__c": "a", "Text__c": "before", "Whole__c": 1}, {"Key__c": "b", "Text__c": "before", "Whole__c": 1}])
    rows = [{"Key__c": "a", "Text__c": None, "Whole__c": 2}, {"Key__c": "b", "Text__c": "", "Whole__c": None}]
    load(rows, "upsert", null_policy=policy, transport=transport)
    found = things(org)
    assert [found[key]["Text__c"] for key in "ab"] == [left, left]
    assert [found[key]["Whole__c"] for key in "ab"] == [2, 1 if policy == "ignore" else None]


@TRANSPORTS
@pytest.mark.parametrize("policy", ["ignore", "clear"])
def test_na_is_text_and_its_other_spelling_empties_a_field(org: SimulatedOrg, transport: str, policy: str) -> None:
    load([{"Key__c": "a", "Text__c": "before"}, {"Key__c": "b", "Text__c": "before"}])
    rows = [{"Key__c": "a", "Text__c": "NA"}, {"Key__c": "b", "Text__c": "#N/A"}]
    load(rows, "upsert", null_policy=policy, transport=transport)
    assert [things(org)[key]["Text__c"] for key in "ab"] == ["NA", None]


@TRANSPORTS
def test_columns_are_renamed_and_left_out(org: SimulatedOrg, tmp_path: Path, transport: str) -> None:
    source = write_csv(tmp_path / "a.csv", [{"key": "a", "a text": "t", "rubbish": "r", "WHOLE__C": "7"}])
    load(source, column_mapping={"key": "key__c", "a text": "Text__c", "rubbish": None}, transport=transport)
    row = things(org)["a"]
    assert (row["Text__c"], row["Whole__c"]) == ("t", 7)


@TRANSPORTS
def test_parents_are_named_by_their_keys(org: SimulatedOrg, transport: str) -> None:
    [box] = org.insert("Box__c", [{"BoxKey__c": "box, 1"}])
    [lead] = org.insert("Lead", [{"LastName": "L", "Company": "C", "Email": "lead@example.com"}])
    [user] = [row["Id"] for row in org.rows("User")]
    name = next(row["Username"] for row in org.rows("User"))
    rows = [
        {"Key__c": "a", "Box__r.BoxKey__c": "box, 1", "Keeper__r.Username": name, "Lead:Who__r.Email": None},
        {"Key__c": "b", "Box__r.BoxKey__c": None, "Keeper__r.Username": name, "Lead:Who__r.Email": "lead@example.com"},
    ]
    load(rows, transport=transport)
    found = things(org)
    assert [found[key]["Box__c"] for key in "ab"] == [box, None]
    assert [found[key]["Who__c"] for key in "ab"] == [None, lead]
    assert {row["Keeper__c"] for row in found.values()} == {user}
    load([{"Key__c": "a", "Box__r.BoxKey__c": None}], "upsert", null_policy="clear", transport=transport)
    assert things(org)["a"]["Box__c"] is None


def test_a_parent_that_is_not_there_fails_its_row_alone(org: SimulatedOrg, tmp_path: Path) -> None:
    org.insert("Box__c", [{"BoxKey__c": "there"}])
    rows = [{"Key__c": "a", "Box__r.BoxKey__c": "there"}, {"Key__c": "b", "Box__r.BoxKey__c": "elsewhere"}]
    result = load(rows, max_failed_records=1, results_path=f"file://{tmp_path}/results")
    assert (result["counts"]["succeeded"], result["counts"]["failed"]) == (1, 1)
    [failed] = results_in(tmp_path / "results", "failed")
    assert (failed["row"], failed["Key__c"], failed["error_code"]) == ("2", "b", "INVALID_FIELD")
    assert "elsewhere" in failed["error_message"]


def test_rows_of_a_parent_stand_together_in_one_part(org: SimulatedOrg, tmp_path: Path) -> None:
    boxes = [f"box {number:02d}" for number in range(15)]
    org.insert("Box__c", [{"BoxKey__c": box} for box in boxes])
    rows = [{"Key__c": f"k{n}", "Box__r.BoxKey__c": boxes[n % 15], "Text__c": "x" * 60} for n in range(120)]
    folder = f"file://{tmp_path}/results"
    load(rows, group_by="Box__r.BoxKey__c", part_bytes=1500, results_path=folder)
    parts = [[row["Box__r.BoxKey__c"] for row in part] for part in parts_in(tmp_path / "results")]
    assert len(parts) > 5
    runs = [box for part in parts for box, _ in groupby(part)]
    assert sorted(runs) == boxes  # each box is met once, so its rows are adjacent and in one part
    assert {key: row["Box__c"] for key, row in things(org).items()}.keys() == {row["Key__c"] for row in rows}
    told = results_in(tmp_path / "results", "succeeded")
    assert {(int(row["row"]), row["Key__c"]) for row in told} == {(n + 1, f"k{n}") for n in range(120)}


def test_several_files_of_a_glob(org: SimulatedOrg, tmp_path: Path) -> None:
    write_csv(tmp_path / "b.csv", [{"Key__c": f"b{n}", "Whole__c": n} for n in range(5)])
    write_csv(tmp_path / "a.csv", [{"Whole__c": n, "Key__c": f"a{n}"} for n in range(3)])
    (tmp_path / "other.txt").write_text("no part of it")
    result = load(f"file://{tmp_path}/*.csv", results_path=f"file://{tmp_path}/results")
    assert result["records"] == 8
    assert {(key, row["Whole__c"]) for key, row in things(org).items()} == {
        (f"{file}{n}", n) for file, count in (("a", 3), ("b", 5)) for n in range(count)
    }
    told = results_in(tmp_path / "results", "succeeded")
    assert {(Path(row["file"]).name, int(row["row"]), row["Key__c"]) for row in told} == {
        (f"{file}.csv", n + 1, f"{file}{n}") for file, count in (("a", 3), ("b", 5)) for n in range(count)
    }


@TRANSPORTS
def test_an_assignment_rule_gives_leads_to_their_owners(org: SimulatedOrg, transport: str) -> None:
    [owner] = org.insert("User", [{"Username": "other@example.com", "LastName": "Other", "Email": "other@example.com"}])
    rule = org.add_assignment_rule("Lead", owner)
    operator = LoadInParts(
        task_id="load",
        sobject="Lead",
        operation="insert",
        source=[{"LastName": "L", "Company": "C"}],
        assignment_rule_id=rule,
        transport=transport,
        poll_interval=0.001,
        deferrable=False,
    )
    assert operator.execute({})["records"] == 1
    [lead] = org.rows("Lead")
    assert lead["OwnerId"] == owner


def test_few_rows_take_the_cheap_way_and_inserts_the_safe_one(org: SimulatedOrg) -> None:
    load([{"Key__c": "a"}], transport="auto")
    assert len(org.jobs) == 1
    load([{"Key__c": "a", "Whole__c": 4}], "upsert", transport="auto")
    load([{"Key__c": f"k{n}"} for n in range(201)], "upsert", transport="auto")
    assert len(org.jobs) == 2
    assert things(org)["a"]["Whole__c"] == 4


def test_more_rows_than_rest_is_meant_for(org: SimulatedOrg) -> None:
    with pytest.raises(AirflowFailException, match="transport: 'rest' takes up to 2,000 rows and there are 2,001"):
        load([{"Key__c": f"k{n}"} for n in range(2001)], transport="rest")
    assert org.rows("Thing__c") == []
    load([{"Key__c": f"k{n}"} for n in range(2000)], transport="rest")
    assert len(org.rows("Thing__c")) == 2000


def test_floats_and_large_numbers_keep_their_digits(org: SimulatedOrg, tmp_path: Path) -> None:
    table = pa.table(
        {"Key__c": ["a", "b", "c"], "Amount__c": [1e15, 0.01, 1234567890123.45], "Whole__c": [2**31 - 1, -1, 0]}
    )
    pq.write_table(table, tmp_path / "a.parquet")
    load(f"file://{tmp_path}/a.parquet")
    found = things(org)
    assert [float(found[key]["Amount__c"]) for key in "abc"] == [1e15, 0.01, 1234567890123.45]
    assert [found[key]["Whole__c"] for key in "abc"] == [2**31 - 1, -1, 0]
