"""A cell has the same outcome over Bulk API 2.0 and over REST: the same value in the org, or a fault before sending."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.load.staging.row_faults import RowFaultsError
from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from tests.operators.things import load

FIELDS = {
    "Text__c": Field("Text__c", length=20),
    "Mail__c": Field("Mail__c", "email"),
    "Flag__c": Field("Flag__c", "boolean", nillable=False),
    "Whole__c": Field("Whole__c", "int"),
    "Double__c": Field("Double__c", "double", precision=18, scale=6),
    "Amount__c": Field("Amount__c", "currency", precision=18, scale=2),
    "Part__c": Field("Part__c", "percent", precision=18, scale=2),
    "Day__c": Field("Day__c", "date"),
    "Moment__c": Field("Moment__c", "datetime"),
    "Hour__c": Field("Hour__c", "time"),
    "Box__c": Field("Box__c", "reference", reference_to=("Box__c",), relationship_name="Box__r"),
}
#: What is tried of each field: one value that is there before, plain cells, and odd ones.
OLD: dict[str, Any] = {"Flag__c": "true", "Whole__c": "5", "Text__c": "old", "Double__c": "1.5", "Day__c": "2026-01-01"}
NUMBERS = ("0", "-1", "+1", "007", "1.50", ".5", "5.", "1e2", "1E-1", "1.5d", "0x10", "1_000", "١", "NaN", "Infinity")
CELLS: dict[str, tuple[str, ...]] = {
    "Text__c": ("x", "NULL", "true", "5.0", "#n/a", "\ufeffx", "two\nlines"),
    "Mail__c": ("a@b.example", "nobody"),
    "Flag__c": ("true", "FALSE", "1", "0", "yes", "N", "on", "Off", "t", "maybe", "2", "1.0"),
    "Whole__c": (*NUMBERS, "5.0", "5.00", "1.5e1", "3.7", "2147483647", "2147483648", "-2147483648.0", "1e99"),
    "Double__c": (*NUMBERS, "0.1234567", "1e-7", "1e400", "1e9999999", "1e-9999999"),
    "Amount__c": (*NUMBERS, "1.555", "1234567890123456.78", "123456789012345678", "1,5", "€5"),
    "Part__c": ("12.5", "5%"),
    "Day__c": ("2026-01-05", "2026-1-5", "2026-01-05T10:00:00Z", "2026-02-30", "20260105"),
    "Moment__c": ("2026-01-05T10:00:00Z", "2026-01-05T10:00:00.123+0100", "2026-01-05 10:00:00Z", "2026-01-05"),
    "Hour__c": ("10:00:00.000Z", "10:00:00", "10:00", "24:00:00"),
    "Box__c": ("{box}", "001", "Acme"),
}
#: How a cell may stand. Of a field that is not text, the check before sending refuses all but the first.
AROUND = ("{}", " {}", "{} ", "\t{}", "{}\n", "\u00a0{}")
EMPTY = ("", " ", "\n", "#N/A", " #N/A ")


@pytest.fixture
def org(things_org: SimulatedOrg) -> SimulatedOrg:
    return things_org


@pytest.fixture
def cells(org: SimulatedOrg) -> SimulatedOrg:
    """The org, with an object that has a field of each type."""
    org.define_object("Cell__c", list(FIELDS.values()))
    return org


def a_box(org: SimulatedOrg) -> str:
    """The id of a record that a reference may point to."""
    load([{"BoxKey__c": "b"}], sobject="Box__c")
    return str(org.rows("Box__c")[0]["Id"])


def outcome(org: SimulatedOrg, name: str, cell: str, transport: str, null_policy: str) -> tuple[str, Any]:
    """What becomes of a record whose field has a value, when a cell is sent for it."""
    load([{name: OLD.get(name)}], sobject="Cell__c", transport="rest")
    before = org.rows("Cell__c")[-1]
    rows = [{"Id": before["Id"], name: cell}]
    try:
        result = load(
            rows, "update", sobject="Cell__c", transport=transport, null_policy=null_policy, max_failed_records=1
        )
    except AirflowFailException as refused:
        assert isinstance(refused.__context__, RowFaultsError)
        assert f"rows row 1, column {name}" in str(refused)
        return "fault", None
    after = org.rows("Cell__c")[-1]
    assert after["Id"] == before["Id"]
    if not result["records"]:
        assert after[name] == before[name]
        return "rejected", None
    return "loaded", after[name]


def outcomes(org: SimulatedOrg, name: str, cell: str, null_policy: str = "ignore") -> tuple[str, Any]:
    """The outcome over both transports, which is one."""
    over_bulk, over_rest = (outcome(org, name, cell, transport, null_policy) for transport in ("bulk", "rest"))
    assert over_bulk == over_rest, f"{name} {cell!r}"
    return over_bulk


@pytest.mark.parametrize("name", CELLS)
def test_each_cell_has_one_outcome(cells: SimulatedOrg, name: str) -> None:
    box = a_box(cells)
    for form in CELLS[name][1:]:
        outcomes(cells, name, form.format(box=box))


@pytest.mark.parametrize("name", CELLS)
def test_spaces_around_a_value_are_kept_in_text_and_a_fault_elsewhere(cells: SimulatedOrg, name: str) -> None:
    plain = CELLS[name][0].format(box=a_box(cells))
    assert outcomes(cells, name, plain)[0] == "loaded"
    for around in AROUND[1:]:
        cell = around.format(plain)
        assert outcomes(cells, name, cell) == {
            "Text__c": ("loaded", cell),
            "Mail__c": ("rejected", None),  # the check looks for the @ alone
        }.get(name, ("fault", None)), repr(cell)


@pytest.mark.parametrize("name", CELLS)
def test_an_empty_cell_keeps_the_value_and_na_empties_it(cells: SimulatedOrg, name: str) -> None:
    emptied = ("fault", True) if name == "Flag__c" else ("loaded", True)
    kept = ("loaded", name not in OLD)
    for cell in EMPTY:
        for null_policy in ("ignore", "clear"):
            reached, value = outcomes(cells, name, cell, null_policy)
            blank = {"Text__c": ("loaded", False), "Mail__c": ("rejected", True)}.get(name, ("fault", True))
            # A checkbox has no null, so an empty value leaves it as it is.
            keeps = null_policy == "ignore" or name == "Flag__c"
            expected = {"": kept if keeps else emptied, "#N/A": emptied}.get(cell, blank)
            assert (reached, value is None) == expected, (cell, null_policy)


@pytest.mark.parametrize(("cell", "whole"), [("5.0", 5), ("5.", 5), ("1e2", 100), ("1.5e1", 15), ("-0.0", 0)])
def test_a_whole_number_may_be_written_with_a_fraction_or_an_exponent(
    cells: SimulatedOrg, cell: str, whole: int
) -> None:
    assert outcomes(cells, "Whole__c", cell) == ("loaded", whole)


@pytest.mark.parametrize("cell", ["1e9999999", "1.5", "١", "NaN"])
def test_what_is_no_whole_number_is_a_fault(cells: SimulatedOrg, cell: str) -> None:
    assert outcomes(cells, "Whole__c", cell) == ("fault", None)


@pytest.mark.parametrize("transport", ["bulk", "rest"])
def test_columns_that_are_left_out_are_not_judged(org: SimulatedOrg, tmp_path: Path, transport: str) -> None:
    rows = [{"attributes": {"type": "Thing__c", "url": "/x"}, "Key__c": "a", "Text__c": float("nan")}]
    left_out = {"attributes": None, "Text__c": None}
    assert load(rows, transport=transport, column_mapping=left_out)["records"] == 1
    (thing,) = org.rows("Thing__c")
    sent_back = [{"attributes": {"type": "Thing__c"}, "Id": thing["Id"], "Text__c": "\ud83d"}]
    assert load(sent_back, "delete", transport=transport)["records"] == 1
    file = tmp_path / "in.csv"
    file.write_bytes(b"Key__c,Text__c\nb," + b"x" * 131_073 + b"\nc,\xe9\n")
    assert load(f"file://{file}", transport=transport, column_mapping={"Text__c": None})["records"] == 2


def test_results_lie_beside_a_source_that_is_a_path_object(org: SimulatedOrg, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("Key__c\na\n")
    results = f"file://{tmp_path}/results"
    assert load(tmp_path / "in" / "a.csv", results_path=results)["records"] == 1
    with pytest.raises(AirflowFailException, match=r"source: takes paths.*not a DataFrame.*to_dict"):
        import pandas as pd

        load(pd.DataFrame({"Key__c": ["b"]}))
    with pytest.raises(AirflowFailException, match="source: 'in/a.csv' is neither a URL nor an absolute path"):
        load("in/a.csv")
