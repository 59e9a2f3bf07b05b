"""What each row of the registry promises, the same for every format."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.files.data_sets.data_set import DataSetFolder
from airflow_provider_sfjwt.files.formats.registry import FORMATS, OutputFormat, input_file, reader_of
from airflow_provider_sfjwt.files.values.columns import Column
from tests.files.bodies import ChunkedBody, salesforce_csv

COLUMNS = (Column("Id", "id"), Column("Name"))
ROWS = [["1", 'two\nlines, "quoted"'], ["2", "NA"]]
PAGE = salesforce_csv([["Id", "Name"], *ROWS])
EVERY = [(name, compression) for name, known in FORMATS.items() for compression in known.suffixes]


@pytest.mark.parametrize(("name", "compression"), EVERY)
def test_what_is_written_is_read_back_by_its_ending(tmp_path: Path, name: str, compression: str | None) -> None:
    chosen = OutputFormat(name, compression)
    assert chosen.faults() == {}
    target = ObjectStoragePath(f"file://{tmp_path}") / f"rows.{chosen.extension}"
    written = chosen.write_page(target, ChunkedBody(PAGE, 7), COLUMNS)
    assert (written.records, written.part.bytes) == (2, target.stat().st_size)
    file = input_file(target, None)
    assert file.file_format == name
    columns = reader_of(file).columns(file)
    assert columns == ("Id", "Name")
    pieces = list(reader_of(file).pieces(file, ["Name", "Id"], columns))
    assert [fault for _, faults in pieces for fault in faults] == []
    assert [row for table, _ in pieces for row in table.to_pylist()] == [
        {"Name": text, "Id": number} for number, text in ROWS
    ]


@pytest.mark.parametrize(("name", "compression"), EVERY)
def test_a_part_of_a_broken_attempt_is_removed(tmp_path: Path, name: str, compression: str | None) -> None:
    folder = DataSetFolder(f"file://{tmp_path}")
    part = folder.part(0, "7505e0000000001AAA", OutputFormat(name, compression))
    part.write_bytes(b"half")
    (tmp_path / "part-00000-of-others.csv").write_bytes(b"theirs")
    folder.clear_replaced()
    assert [each.name for each in tmp_path.iterdir()] == ["part-00000-of-others.csv"]


@pytest.mark.parametrize("ending", [ending for known in FORMATS.values() for ending in known.all_endings])
def test_an_ending_belongs_to_one_format(ending: str) -> None:
    path = ObjectStoragePath(f"file:///in/rows{ending.upper()}")
    assert ending in FORMATS[input_file(path, None).file_format].all_endings
    assert sum(ending in known.all_endings for known in FORMATS.values()) == 1


@pytest.mark.parametrize("name", ["rows", "rows.txt", "rows.parquet.gz", "csv"])
def test_an_unknown_ending_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"does not end in \.csv, \.csv\.gz, .* or \.parquet\. Rename it"):
        input_file(ObjectStoragePath(f"file:///in/{name}"), None)


def test_a_format_of_a_newer_release_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="its format 'avro' is not one of csv, jsonl, parquet"):
        input_file(ObjectStoragePath("file:///in/part.avro"), "avro")
