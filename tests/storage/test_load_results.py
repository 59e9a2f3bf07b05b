from __future__ import annotations

import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_sfjwt.exceptions import ConfigurationError, ProtocolError, TransportError
from airflow_provider_sfjwt.storage.load_results import LoadReport, ResultsFolder, match, read_results
from tests.storage.bodies import ChunkedBody, salesforce_csv

cells = st.none() | st.sampled_from(["a", "b", "1", "11", "\x1f", "1\x1f", "\x1f1", ",", '"', "\n", "#N/A"])


@st.composite
def sent_and_order(draw: st.DrawFn) -> tuple[list[list[str | None]], list[int]]:
    width = draw(st.integers(1, 3))
    rows = draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=25))
    return rows, draw(st.permutations(range(len(rows))))


def table_of(rows: list[list[str | None]], width: int, upper: bool = False) -> pa.Table:
    names = [f"Field{place}__c" for place in range(width)]
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(width)]
    return pa.Table.from_arrays(columns, names=[name.upper() for name in names] if upper else names)


@settings(deadline=None)
@given(sent_and_order(), st.booleans())
def test_each_result_finds_a_row_of_its_own_with_the_same_cells(
    case: tuple[list[list[str | None]], list[int]], upper: bool
) -> None:
    rows, order = case
    width = len(rows[0]) if rows else 1
    results = table_of([rows[place] for place in order], width, upper)
    found = match(table_of(rows, width), results).to_pylist()
    assert sorted(found) == list(range(len(rows)))
    assert [rows[place] for place in found] == [rows[place] for place in order]


def test_cells_that_only_look_the_same_one_after_another_are_told_apart() -> None:
    rows: list[list[str | None]] = [["1\x1f", "1"], ["1", "\x1f1"], ["1", "\x1f1"]]
    assert match(table_of(rows, 2), table_of([rows[1], rows[0], rows[2]], 2)).to_pylist() == [1, 0, 2]


def test_what_was_not_sent_and_what_comes_too_often_matches_nothing() -> None:
    sent = table_of([["a"], ["b"], ["b"]], 1)
    assert match(sent, table_of([["b"], ["c"], ["b"], ["b"], ["a"], ["a"]], 1)).to_pylist() == [
        1,
        None,
        2,
        None,
        0,
        None,
    ]
    unique = table_of([["a"], ["b"]], 1)
    assert match(unique, table_of([["b"], ["b"], [None]], 1)).to_pylist() == [1, None, None]


def test_a_result_set_without_a_column_that_was_sent_is_refused() -> None:
    with pytest.raises(ProtocolError, match="Field1__c"):
        match(table_of([["a", "b"]], 2), table_of([["a"]], 1))


def test_the_own_columns_of_results_are_not_taken_for_sent_ones() -> None:
    results = pa.table({"sf__Id": ["x"], "sf__Created": ["true"], "Field0__c": ["a"]})
    assert match(table_of([["b"], ["a"]], 1), results).to_pylist() == [1]


def test_results_are_read_as_text() -> None:
    rows = [["001", "true", "a\nb", "007", ""], ["", "false", '"', "NA", "x"]]
    body = ChunkedBody(salesforce_csv([["sf__Id", "sf__Created", "Name", "N", "E"], *rows]), 7)
    table = read_results(body)
    assert table.column_names == ["sf__Id", "sf__Created", "Name", "N", "E"]
    assert [list(row.values()) for row in table.to_pylist()] == [[cell or None for cell in row] for row in rows]


def test_results_without_rows_keep_their_columns() -> None:
    assert read_results(ChunkedBody(b'"sf__Id","sf__Error",Name\n')).column_names == ["sf__Id", "sf__Error", "Name"]
    assert read_results(ChunkedBody(b"")).column_names == []


def test_results_over_several_blocks_are_all_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_sfjwt.storage.load_results._BLOCK", 50)
    rows = [[f"{place:018d}", "x" * (place % 40)] for place in range(500)]
    table = read_results(ChunkedBody(salesforce_csv([["Id", "T"], *rows]), 33))
    assert table.column("Id").to_pylist() == [row[0] for row in rows]


def test_results_that_are_not_whole_or_no_csv_are_refused() -> None:
    with pytest.raises(TransportError):
        read_results(ChunkedBody(b'"Id","N"\n"1","cut'))
    with pytest.raises(ProtocolError, match="no CSV"):
        read_results(ChunkedBody(b'"Id","N"\n"1"\n'))


def report(folder: ResultsFolder, *parts: object) -> LoadReport:
    counts = {"read": 3, "sent": 3, "succeeded": 2, "created": 1, "updated": 1, "failed": 1, "unprocessed": 0}
    errors = {"UNABLE_TO_LOCK_ROW": {"count": 1, "sample": {"file": "a", "row": 2, "message": "ü", "fields": []}}}
    jobs = ({"id": "750x", "state": "JobComplete", "rows": 3, "failed": 1},)
    return LoadReport(
        "Account", "upsert", ("a.csv",), counts, errors, jobs, parts, 7, 1.5, "1.0", results_path=folder.path
    )  # type: ignore[arg-type]


def test_results_are_written_and_published(tmp_path: Path) -> None:
    folder = ResultsFolder(f"file://{tmp_path}/results")
    folder.prepare()
    table = pa.table({"position": [0, 5], "file": ["a.csv", "a.csv"], "Name": ["x\ny", None]})
    part = folder.write("failed", 3, [table, table])
    content = (tmp_path / "results" / part.name).read_bytes()
    assert (part.records, part.bytes, part.name[:13]) == (4, len(content), "failed-00003-")
    assert pv.read_csv(
        pa.BufferReader(content), parse_options=pv.ParseOptions(newlines_in_values=True)
    ).to_pylist() == [
        {"position": 0, "file": "a.csv", "Name": "x\ny"},
        {"position": 5, "file": "a.csv", "Name": ""},
    ] * 2  # fmt: skip
    assert folder.report() is None
    folder.publish(report(folder, part))
    assert folder.report() == report(folder, part)
    assert json.loads((tmp_path / "results" / "_receipt.json").read_text())["parts"][0]["name"] == part.name
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["_receipt.json", part.name]


def test_files_of_an_older_load_go_and_those_of_others_stay(tmp_path: Path) -> None:
    table = pa.table({"position": [random.randrange(9)]})
    older = ResultsFolder(str(tmp_path))
    older.prepare()
    old = older.write("succeeded", 0, table)
    older.publish(report(older, old))
    (tmp_path / "failed-mine.csv").write_text("keep")
    newer = ResultsFolder(str(tmp_path))
    new = newer.write("succeeded", 0, table)
    newer.clear_replaced()
    assert (tmp_path / old.name).exists()  # it is published still
    new = newer.write("succeeded", 0, table)
    newer.publish(report(newer, new))
    newer.clear_replaced()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["_receipt.json", "failed-mine.csv", new.name]


def test_a_report_that_cannot_be_understood_is_refused(tmp_path: Path) -> None:
    for text in ("nonsense", "[]", '{"report_version": 2}', '{"report_version": 1}'):
        with pytest.raises(ProtocolError):
            LoadReport.from_json(text, "x")


def test_the_summary_is_small_and_tells_where_the_rest_is(tmp_path: Path) -> None:
    summary = report(ResultsFolder(str(tmp_path))).summary()
    assert summary["receipt"] == f"{tmp_path}/_receipt.json"
    assert (summary["records"], summary["counts"]["failed"], list(summary["errors"])) == (2, 1, ["UNABLE_TO_LOCK_ROW"])
    assert summary["job_ids"] == ["750x"]


def test_a_folder_that_cannot_be_written_names_the_argument(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigurationError) as caught:
        ResultsFolder(f"{tmp_path}/file/results").prepare()
    assert list(caught.value.fields) == ["results_path"]
