from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pv
import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError, ProtocolError
from airflow_provider_sfjwt.load.outcomes.results_folder import ResultsFolder, RowsWithOutcome
from airflow_provider_sfjwt.load.report import LoadReport


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
    part = folder.write("failed", 3, table)
    content = (tmp_path / "results" / part.name).read_bytes()
    assert (part.records, part.bytes, part.name[:13]) == (2, len(content), "failed-00003-")
    assert pv.read_csv(
        pa.BufferReader(content), parse_options=pv.ParseOptions(newlines_in_values=True)
    ).to_pylist() == [
        {"position": 0, "file": "a.csv", "Name": "x\ny"},
        {"position": 5, "file": "a.csv", "Name": ""},
    ]
    assert folder.report() is None
    folder.publish(report(folder, part))
    assert folder.report() == report(folder, part)
    assert json.loads((tmp_path / "results" / "_receipt.json").read_text())["parts"][0]["name"] == part.name
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["_receipt.json", part.name]


def test_rows_are_written_behind_new_cells_as_they_are(tmp_path: Path) -> None:
    folder = ResultsFolder(str(tmp_path))
    sent = ['"a\nb",\n', ',"""x"", y"\n', ",\n"]
    pieces = [
        RowsWithOutcome([pa.array(["1", "2"]), pa.scalar('the "file", 1.csv')], pa.array(sent[:2])),
        RowsWithOutcome([pa.array(["3"]), pa.array(["ü\nv"])], pa.array(sent[1:]).slice(1)),
    ]
    part = folder.write_rows("succeeded", 12, ["position", "file", "A,b", "C"], iter(pieces))
    content = (tmp_path / part.name).read_bytes()
    file = '"the ""file"", 1.csv"'
    assert content.decode() == (
        f'"position","file","A,b","C"\n"1",{file},{sent[0]}"2",{file},{sent[1]}"3","ü\nv",{sent[2]}'
    )
    assert (part.records, part.bytes, part.sha256) == (3, len(content), hashlib.sha256(content).hexdigest())


def test_files_of_an_older_load_go_and_those_of_others_stay(tmp_path: Path) -> None:
    table = pa.table({"position": [random.randrange(9)]})
    older = ResultsFolder(str(tmp_path))
    older.prepare()
    old = older.write("succeeded", 0, table)
    older.publish(report(older, old))
    (tmp_path / "failed-mine.csv").write_text("keep")
    broken_off = ResultsFolder(str(tmp_path)).write("succeeded", 0, table)
    newer = ResultsFolder(str(tmp_path))
    newer.prepare()
    new = newer.write("succeeded", 0, table)
    assert (tmp_path / old.name).exists()  # it is published still
    at_work = ResultsFolder(str(tmp_path)).write("failed", 0, table)
    newer.publish(report(newer, new))
    assert not (tmp_path / broken_off.name).exists()
    (tmp_path / at_work.name).unlink()  # which was there, as its load may yet publish
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
