"""What others reported about the files of a load, by its kind, and inputs of the same kinds."""

from __future__ import annotations

import bz2
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.operators.things import load

Rows = list[dict[str, Any]]


@pytest.fixture
def org(things_org: SimulatedOrg) -> SimulatedOrg:
    return things_org


def write(tmp_path: Path, data: bytes | str, name: str = "in.csv") -> str:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return f"file://{path}"


def loaded(org: SimulatedOrg, *names: str) -> list[tuple[Any, ...]]:
    rows = sorted(org.rows("Thing__c"), key=lambda row: (row["Key__c"] or "", row["Text__c"] or ""))
    return [tuple(row[name] for name in names) for row in rows]


def refusal(source: Any, **arguments: Any) -> str:
    with pytest.raises(AirflowFailException) as refused:
        load(source, **arguments)
    return str(refused.value)


def zstandard(data: bytes) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as packed:
        packed.write(data)
    return bytes(out.getvalue())


# -- L3: carriage returns ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        ("Text__c\nx\ry\n", ["x\ry"]),
        ("Text__c\r\nx\ry\r\n", ["x\ry"]),
        ("Text__c\n\rx\nz\n", ["\rx", "z"]),
        ('Text__c\n"x\r"\n', ["x\r"]),
        ('Text__c\n"x\ry"\nz\ru\n', ["x\ry", "z\ru"]),
        ("Text__c\r\nx\ny\r\nz", ["x", "y", "z"]),
        ("Text__c\r\r\nx\r\r\ny\r\r\n", ["x", "y"]),
    ],
)  # fmt: skip
def test_L3_a_return_within_a_cell_is_part_of_it(
    org: SimulatedOrg, tmp_path: Path, data: str, texts: list[str]
) -> None:
    assert load(write(tmp_path, data))["records"] == len(texts)
    found = [str(text).replace("\r\n", "\n").replace("\r", "\n").strip() for (text,) in loaded(org, "Text__c")]
    assert sorted(found) == sorted(text.replace("\r", "\n").strip() for text in texts)


@pytest.mark.parametrize(
    ("data", "row", "column"),
    [
        ("Text__c\nx\nx\r\n", 2, "Text__c"),
        ("Text__c\nx\n\r\n", 2, "Text__c"),
        ("Key__c,Text__c\n\na,x\r\nb,y\n", 1, "Text__c"),
        ("Key__c,Text__c\r\na,x\r\nb,y\r\r\n", 2, "Text__c"),
    ],
)
def test_L3_a_return_that_may_be_either_is_a_fault_with_its_row(
    org: SimulatedOrg, tmp_path: Path, data: str, row: int, column: str
) -> None:
    said = refusal(write(tmp_path, data))
    assert f"in.csv row {row}, column {column}: ends with a carriage return (CR)" in said
    assert loaded(org, "Text__c") == []


def test_L3_lines_that_end_with_a_return_alone(org: SimulatedOrg, tmp_path: Path) -> None:
    assert "end with a carriage return alone. Save it with LF or CRLF" in refusal(
        write(tmp_path, "Key__c,Text__c\ra,x\rb,y\r")
    )
    said = refusal(write(tmp_path, "Key__c,Text__c\na,x\rb,y\n"))
    assert "row 1: has 3 cells where the header names 2 columns, and a carriage return (CR)" in said


def test_L3_what_pandas_writes(org: SimulatedOrg, tmp_path: Path) -> None:
    frame = pd.DataFrame({"Key__c": ["a", "b"], "Text__c": ["one\rtwo", "one\ntwo"], "Whole__c": [1, 2]})
    frame.to_csv(tmp_path / "in.csv", index=False)
    assert load(f"file://{tmp_path}/in.csv")["records"] == 2
    assert [row[:1] + row[2:] for row in loaded(org, "Key__c", "Text__c", "Whole__c")] == [("a", 1), ("b", 2)]


# -- L4: faults with row and column ------------------------------------------------------------------------------------


def test_L4_blank_lines_do_not_shift_the_rows(org: SimulatedOrg, tmp_path: Path) -> None:
    quote = "Text__c: has a quote within a cell"
    assert f"in.csv row 1, column {quote}" in refusal(write(tmp_path, 'Key__c,Text__c\n\n\n\na,5" x 6" y\n'))
    said = refusal(write(tmp_path, 'Key__c,Text__c\n\na,"x\n\ny"\r\n\r\nb,5" x 6"\n\n\nc,"1" 2\nd,1,2\n'))
    assert f"row 2, column {quote}" in said
    assert f"row 3, column {quote}" in said
    assert "row 4: has 3 cells" in said
    assert "row 1, column Text__c, opens a quote" in refusal(write(tmp_path, 'Key__c,Text__c\n\n\na,"x\n'))


def bad_bytes(tmp_path: Path, kind: str) -> str:
    """Three rows; the text of the second is not UTF-8."""
    if kind == "csv":
        return write(tmp_path, b"Key__c,Text__c\n\na,x\nb,\xe9\nc,z\n")
    if kind == "jsonl":
        return write(tmp_path, b'{"Key__c":"a"}\n\n{"Key__c":"b","Text__c":"\xe9"}\n{"Key__c":"c"}\n', "in.jsonl")
    if kind == "json":
        return write(tmp_path, b'[{"Key__c":"a"},\n{"Key__c":"b","Text__c":"\xe9"},{"Key__c":"c"}]', "in.json")
    texts = pa.array([b"x", b"\xe9", b"z"]).view(pa.string())
    if kind == "parquet of few texts":
        texts = pa.DictionaryArray.from_arrays(
            pa.array([0, 1, 0], pa.int32()), pa.array([b"x", b"\xe9"]).view(pa.string())
        )
    pq.write_table(pa.table({"Key__c": ["a", "b", "c"], "Text__c": texts}), tmp_path / "in.parquet")
    return f"file://{tmp_path}/in.parquet"


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json", "parquet", "parquet of few texts"])
def test_L4_a_byte_that_is_not_utf8(org: SimulatedOrg, tmp_path: Path, kind: str) -> None:
    said = refusal(bad_bytes(tmp_path, kind))
    assert "row 2, column Text__c: byte 0xE9 is not UTF-8. Give its encoding" in said
    assert "1 fault in" in said


def test_L4_a_bad_line_of_json_stands_beside_the_others(org: SimulatedOrg, tmp_path: Path) -> None:
    lines = ['{"Key__c": "a", "Whole__c": "x"}', "", "nonsense", "[1]", '{"Key__c": "b", "Whole__c": "y"}']
    said = refusal(write(tmp_path, "\n".join(lines), "in.jsonl"))
    for fault in ("row 1, column Whole__c", "row 2: is not JSON", "row 3: is a JSON array", "row 4, column Whole__c"):
        assert fault in said


def test_L4_a_row_that_cannot_be_read_is_one_fault(org: SimulatedOrg, tmp_path: Path) -> None:
    lines = write(tmp_path, '{"Key__c": "a"}\nnonsense\n', "in.jsonl")
    assert "1 fault in its rows" in refusal(lines, operation="upsert")
    assert "1 fault in its rows" in refusal(write(tmp_path, 'Key__c,Text__c\na,x\n"b"x,y\n'), operation="upsert")


@pytest.mark.parametrize("row", ["a,abc", "a,abc,2026-13-01,z", "a"])
def test_L4_a_row_with_too_few_or_too_many_cells_is_one_fault(org: SimulatedOrg, tmp_path: Path, row: str) -> None:
    data = f"Key__c,Whole__c,Day__c\na,1,2026-01-01\n{row}\n"
    said = refusal(write(tmp_path, data), operation="upsert")
    assert said.startswith("Row 2 of in.csv has ")
    assert "1 fault in its rows" in said
    results = load(write(tmp_path, data), operation="upsert", on_invalid="skip", max_failed_records=1)
    assert results["counts"]["skipped"] == 1


# -- L7: files of every kind -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp850"])
def test_L7_encoding(org: SimulatedOrg, tmp_path: Path, encoding: str) -> None:
    load(write(tmp_path, "Key__c;Text__c\r\na;é,ü\r\n".encode(encoding)), encoding=encoding)
    load(write(tmp_path, '{"Key__c": "b", "Text__c": "é,ü"}\n'.encode(encoding), "in.jsonl"), encoding=encoding)
    load(write(tmp_path, '[{"Key__c": "c", "Text__c": "é,ü"}]'.encode(encoding), "in.json"), encoding=encoding)
    assert loaded(org, "Key__c", "Text__c") == [(key, "é,ü") for key in "abc"]


@pytest.mark.parametrize(
    ("data", "encoding", "said"),
    [
        ("a,é\x81", "cp1252", "row 1, column Text__c: byte 0x81 is not cp1252"),
        ("a,é", "ascii", "row 1, column Text__c: byte 0xE9 is not ascii"),
        ("a,é", "utf-16", "does not begin with a byte order mark, as utf-16 does"),
    ],
)
def test_L7_what_is_not_of_the_encoding(org: SimulatedOrg, tmp_path: Path, data: str, encoding: str, said: str) -> None:
    assert said in refusal(write(tmp_path, f"Key__c,Text__c\n{data}\n".encode("latin-1")), encoding=encoding)


def test_L7_an_encoding_that_the_file_contradicts(org: SimulatedOrg, tmp_path: Path) -> None:
    assert "Give encoding='utf-16'" in refusal(write(tmp_path, "Key__c\na\n".encode("utf-16")))
    assert "Give encoding='utf-16'" in refusal(write(tmp_path, '{"Key__c": "a"}'.encode("utf-16"), "in.json"))
    assert "Give encoding='utf-8'" in refusal(write(tmp_path, "\ufeffKey__c\na\n"), encoding="cp1252")
    for wrong in ("utf-9", "base64", "rot13", "idna", "", 5, None):
        assert "encoding: " in refusal(write(tmp_path, "Key__c\na\n"), encoding=wrong)


@pytest.mark.parametrize("delimiter", ["|", "\x01", "^", ";", " ", "§"])
def test_L7_delimiter(org: SimulatedOrg, tmp_path: Path, delimiter: str) -> None:
    rows = [["Key__c", "Text__c"], ["a", f'"x,{delimiter}y"'], ["b", "1,5"]]
    load(write(tmp_path, "".join(delimiter.join(row) + "\n" for row in rows)), delimiter=delimiter)
    assert loaded(org, "Key__c", "Text__c") == [("a", f"x,{delimiter}y"), ("b", "1,5")]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (gzip.compress(b"Key__c\na\n", mtime=0), "source in.csv: its first bytes are those of gzip"),
        (bz2.compress(b"Key__c\na\n"), "source in.csv: its first bytes are those of bzip2"),
        (b"PK\x03\x04\x14\x00", "source in.csv: its first bytes are those of a zip archive or an Excel workbook"),
        (b"PAR1\x15\x04", "source in.csv: its first bytes are those of Parquet"),
        ("Key__c\na\n".encode("utf-16-le"), "encoding in.csv: it has NUL bytes, as UTF-16 has"),
        ("Key__c\na\n".encode("utf-16-be"), "encoding in.csv: it has NUL bytes, as UTF-16 has"),
    ],
)
def test_L7_files_that_are_not_what_their_names_say(org: SimulatedOrg, tmp_path: Path, data: bytes, said: str) -> None:
    assert refusal(write(tmp_path, data)).startswith(said)


def test_L7_what_does_not_go_with_the_files(org: SimulatedOrg, tmp_path: Path) -> None:
    for wrong in ("", ";;", "\n", '"', 5):
        assert "delimiter: must be one character" in refusal(write(tmp_path, "Key__c\na\n"), delimiter=wrong)
    lines = write(tmp_path, '{"Key__c": "a"}', "in.jsonl")
    assert "delimiter: " in refusal(lines, delimiter=";")
    assert "header: " in refusal(lines, header=["Key__c"])
    assert "header: " in refusal(write(tmp_path, "a\n"), header="Key__c")


def test_L7_files_without_a_header(org: SimulatedOrg, tmp_path: Path) -> None:
    source = [write(tmp_path, "a;1,5;x\nb;2;y\n", "1.csv"), write(tmp_path, "c;3;z\r\n", "2.csv")]
    names = ["Key__c", "amount", "Text__c"]
    assert load(source, header=names, column_mapping={"amount": None})["records"] == 3
    assert loaded(org, "Key__c", "Text__c") == [("a", "x"), ("b", "y"), ("c", "z")]
    assert "Leave header out" in refusal(write(tmp_path, "key__c,AMOUNT,Text__c\nd,1,x\n"), header=names)
    assert "row 2: has 2 cells" in refusal(
        write(tmp_path, "d,1,x\ne,2\n"), header=names, column_mapping={"amount": None}
    )
    assert load(write(tmp_path, ""), header=names, column_mapping={"amount": None})["records"] == 0


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("zst", zstandard)])
def test_L7_packed_files(org: SimulatedOrg, tmp_path: Path, ending: str, pack: Callable[[bytes], bytes]) -> None:
    text = b"Key__c,Text__c\n" + b"".join(b"k%d,text %d\n" % (row, row) for row in range(300))
    half = pack(text[:1000]) + pack(text[1000:])
    assert load(write(tmp_path, half, f"in.csv.{ending}"))["records"] == 300
    assert load(write(tmp_path, pack(b'[{"Key__c": "z"}]'), f"in.json.{ending}"))["records"] == 1
    for damaged in (half[:-9], b"nothing packed", b"xxxx" + half[4:]):
        assert "cannot be unpacked" in refusal(write(tmp_path, damaged, f"in.csv.{ending}"))


def test_L7_json_arrays(org: SimulatedOrg, tmp_path: Path) -> None:
    rows = [{"Key__c": f"k{row}", "Text__c": "é"} for row in range(3)]
    assert load(write(tmp_path, json.dumps(rows, indent=2), "in.json"))["records"] == 3
    assert load(write(tmp_path, "[]", "none.json"))["records"] == 0
    frame = pd.DataFrame([{"Key__c": "a", "Text__c": "x"}, {"Key__c": "b", "Text__c": None}])
    frame.to_json(tmp_path / "frame.json", orient="records")
    frame.to_json(tmp_path / "lines.json", orient="records", lines=True)
    assert load(f"file://{tmp_path}/frame.json", "upsert")["records"] == 2
    assert load(f"file://{tmp_path}/lines.json", "upsert")["records"] == 2
    assert loaded(org, "Key__c", "Text__c") == [("a", "x"), ("b", None), ("k0", "é"), ("k1", "é"), ("k2", "é")]


def test_L7_a_key_that_comes_late(org: SimulatedOrg, tmp_path: Path) -> None:
    rows: Rows = [{"Key__c": f"{row:05}"} for row in range(5_001)] + [{"Key__c": "late", "Text__c": "x"}]
    for name, text in (("in.jsonl", "\n".join(map(json.dumps, rows))), ("in.json", json.dumps(rows))):
        assert load(write(tmp_path, text, name), "upsert", dry_run=True)["counts"]["read"] == 5_002
    load(write(tmp_path, "\n".join(map(json.dumps, rows)), "in.jsonl"))
    assert loaded(org, "Key__c", "Text__c")[-1] == ("late", "x")


@pytest.mark.parametrize("kind", ["rows", "jsonl", "json", "parquet", "csv"])
def test_L7_nested_parents(org: SimulatedOrg, tmp_path: Path, kind: str) -> None:
    [box] = org.insert("Box__c", [{"BoxKey__c": "x"}])
    rows: Rows = [{"Key__c": "a", "Box__r": {"BoxKey__c": "x"}}, {"Key__c": "b", "Box__r": None}]
    rows += [{"Key__c": "c", "Box__r": {"BoxKey__c": None}}]
    source: Any = rows
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "in.parquet")
        source = f"file://{tmp_path}/in.parquet"
    elif kind == "jsonl":
        source = write(tmp_path, "\n".join(map(json.dumps, rows)), "in.jsonl")
    elif kind == "json":
        source = write(tmp_path, json.dumps(rows), "in.json")
    elif kind == "csv":
        source = write(tmp_path, "Key__c,Box__r.BoxKey__c\na,x\nb,\nc,\n")
    load(source)
    assert loaded(org, "Key__c", "Box__c") == [("a", box), ("b", None), ("c", None)]


def test_L7_a_nested_object_is_left_out_as_a_whole(org: SimulatedOrg, tmp_path: Path) -> None:
    rows = [{"attributes": {"type": "Thing__c", "url": "/x"}, "Key__c": "a"}, {"Key__c": "b"}]
    load(rows, column_mapping={"attributes": None})
    assert loaded(org, "Key__c") == [("a",), ("b",)]
    assert "row 2: has the unexpected key(s) Box__r" in refusal(
        [{"Key__c": "c", "Box__r": {"BoxKey__c": None}}, {"Key__c": "d", "Box__r": "a01"}]
    )


@pytest.mark.parametrize("data", ["Key__c,Text__c,\na,x,\n", "Key__c,Text__c,,\na,x,,\n", ",Key__c,,Text__c\n,a,,x\n"])
def test_L7_empty_columns_without_a_name(org: SimulatedOrg, tmp_path: Path, data: str) -> None:
    assert load(write(tmp_path, data))["records"] == 1
    assert loaded(org, "Key__c", "Text__c") == [("a", "x")]


def test_L7_a_column_without_a_name_that_holds_values(org: SimulatedOrg, tmp_path: Path) -> None:
    pd.DataFrame({"Key__c": ["a", "b"], "Text__c": ["x", "y"]}).to_csv(tmp_path / "in.csv")
    source = f"file://{tmp_path}/in.csv"
    said = refusal(source)
    assert "row 1, column 1: the column has no name and holds values" in said
    assert "column_mapping={'': None}" in said
    assert "column_mapping: gives the columns without a name a field" in refusal(source, column_mapping={"": "Key__c"})
    load(source, column_mapping={"": None})
    assert loaded(org, "Key__c", "Text__c") == [("a", "x"), ("b", "y")]
    assert "row 3, column 3" in refusal(write(tmp_path, "Key__c,Text__c,\na,x,\nb,y\nc,z,1\n"))


@pytest.mark.parametrize("pattern", ["*/*/*.parquet", "Text__c=*/Whole__c=*/*.parquet", "**/*.parquet"])
def test_L7_partition_columns(org: SimulatedOrg, tmp_path: Path, pattern: str) -> None:
    table = pa.table({"Key__c": ["a", "b", "c"], "Text__c": ["x", "x/y ü", None], "Whole__c": [1, 1, 2]})
    pq.write_to_dataset(table, tmp_path / "run=1", partition_cols=["Text__c", "Whole__c"])
    load(f"file://{tmp_path}/run=1/{pattern}", "upsert")
    assert loaded(org, "Key__c", "Text__c", "Whole__c") == [("a", "x", 1), ("b", "x/y ü", 1), ("c", None, 2)]


def test_L7_partition_columns_give_way_and_are_left_out(org: SimulatedOrg, tmp_path: Path) -> None:
    write(tmp_path, "Key__c,Text__c\na,x\n", "day=1/text__c=1/in.csv")
    write(tmp_path, "Key__c,Text__c\nb,y\n", "day=2/text__c=1/in.csv")
    source = f"file://{tmp_path}/day=*/text__c=1/*.csv"
    assert "no field day" in refusal(source)
    load(source, column_mapping={"day": None})
    write(tmp_path, '{"Key__c": "c"}', "Text__c=z/in.jsonl")
    load(f"file://{tmp_path}/*/in.jsonl")
    load(write(tmp_path, '[{"": null, "Key__c": "d"}, {"": "", "Key__c": "e"}]', "in.json"), dry_run=True)
    assert "row 2, column 1: the column has no name" in refusal(
        write(tmp_path, '{"": null, "Key__c": "d"}\n{"": 1}', "in.json")
    )
    assert loaded(org, "Key__c", "Text__c") == [("a", "x"), ("b", "y"), ("c", "z")]
    load(f"file://{tmp_path}/day=1/*/in.csv", "upsert")  # a folder that the pattern names adds no column
