"""Input that cannot be loaded as it is: said by file and row before anything is sent, or loaded where it may be."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from tests.operators.things import load

UPSERT = {"operation": "upsert"}
LONG = "x" * 131_073
#: What a file holds, and what is said about it. ``{file}`` is its path.
REFUSED: dict[str, tuple[bytes | str, dict[str, Any], tuple[str, ...]]] = {
    "empty file": ("", {}, ("{file}", "empty")),
    "duplicate headers": ("Key__c,Text__c,Text__c\na,b,c\n", {}, ("{file}", "Text__c")),
    "ragged row, too short": ("Key__c,Text__c\na,b\nc\n", {}, ("{file} row 2", "has 1 cell where")),
    "ragged row, too long": ("Key__c,Text__c\na,b\nc,d,e\n", {}, ("{file} row 2", "has 3 cells")),
    "Latin-1": ("Key__c,Text__c\na,b\nc,Zürich\n".encode("latin-1"), {}, ("{file} row 2", "Text__c", "not UTF-8")),
    "Latin-1 header": ("Key__c,Schlüssel\n".encode("latin-1"), {}, ("{file}", "its header: byte 0xFC is not UTF-8")),
    "UTF-16": ("Key__c,Text__c\na,b\n".encode("utf-16"), {}, ("{file}", "UTF-16")),
    "quote never closed": ('Key__c,Text__c\na,"b\nc,d\n', {}, ("{file}", "never closed")),
    "131,073 characters in a cell": (f"Key__c,Text__c\na,b\nc,{LONG}\n", {}, ("{file} row 2", "Text__c", "131,073", "1 fault in")),
    "an Id column in an insert": ("Id,Key__c\n001000000000001,a\n", {}, ("Id", "insert")),
    "the external id twice": ("Key__c,Text__c\na,b\nc,d\na,e\n", UPSERT, ("{file} row 3", "Key__c", "same as in row 1")),
    "the external id missing": ("Key__c,Text__c\na,b\n,d\n", UPSERT, ("{file} row 2", "Key__c is empty")),
    "no column of the external id": ("Text__c\nb\n", UPSERT, ("Key__c",)),
    "no Id in an update": ("Key__c\nb\n", {"operation": "update"}, ("no column is Id",)),
    "unknown column": ("Key__c,Txet__c\na,b\n", {}, ("no field Txet__c (did you mean Text__c?)",)),
    "read-only column": ("Key__c,CreatedDate\na,b\n", {}, ("CreatedDate", "cannot be written")),
    "unknown relationship": ("Key__c,Bux__r.BoxKey__c\na,b\n", {}, ("Bux__r", "did you mean Box__r?")),
    "wrong types": (
        "Key__c,Whole__c,Flag__c,Day__c,Moment__c,Amount__c\na,1,true,2026-01-31,2026-01-31T00:00:00Z,1.5\n"
        "b,many,maybe,31.1.2026,yesterday,1e\n",
        {},
        ("row 2, column Whole__c", "row 2, column Flag__c", "row 2, column Day__c", "row 2, column Moment__c", "row 2, column Amount__c", "5 faults"),
    ),
    "text that is too long": (f"Key__c\na\n{'k' * 41}\n", {}, ("{file} row 2", "takes 40 characters and this has 41")),
}  # fmt: skip


@pytest.fixture
def org(things_org: SimulatedOrg) -> SimulatedOrg:
    return things_org


@pytest.mark.parametrize("transport", ["bulk", "rest"])
@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_before_anything_is_sent(org: SimulatedOrg, tmp_path: Path, name: str, transport: str) -> None:
    content, arguments, says = REFUSED[name]
    file = tmp_path / "input.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(AirflowFailException) as refused:
        load(f"file://{file}", **{"transport": transport, **arguments})
    assert isinstance(refused.value.__context__, ConfigurationError)
    for part in says:
        assert part.format(file=f"file://{file}") in str(refused.value)
    _nothing_was_sent(org)


def _nothing_was_sent(org: SimulatedOrg) -> None:
    assert org.jobs == {}
    assert {request.method for request in org.requests} <= {"GET", "POST"}
    assert not [request for request in org.requests if request.method == "POST" and "/oauth2/" not in request.path]
    assert org.rows("Thing__c") == []


LEGAL: dict[str, tuple[bytes, dict[str, str | None]]] = {
    "header only": (b"Key__c,Text__c\n", {}),
    "BOM": (b"\xef\xbb\xbfKey__c,Text__c\na,b\n", {"a": "b"}),
    "CRLF": (b"Key__c,Text__c\r\na,b\r\n", {"a": "b"}),
    "no newline at the end": (b"Key__c,Text__c\na,b\nc,d", {"a": "b", "c": "d"}),
    "semicolons": (b"Key__c;Text__c\na;b,c\n", {"a": "b,c"}),
    "tabs": (b"Key__c\tText__c\na\tb;c\n", {"a": "b;c"}),
    "delimiters in data": (b'Key__c,Text__c\na,"b,c;d|e\tf"\n', {"a": "b,c;d|e\tf"}),
    "newline in data": (b'Key__c,Text__c\na,"b\nc"\n', {"a": "b\nc"}),
    "empty lines": (b"Key__c,Text__c\n\na,b\n\n", {"a": "b"}),
}


@pytest.mark.parametrize("transport", ["bulk", "rest"])
@pytest.mark.parametrize("name", LEGAL)
def test_what_is_unusual_and_right_is_loaded(org: SimulatedOrg, tmp_path: Path, name: str, transport: str) -> None:
    content, wanted = LEGAL[name]
    file = tmp_path / "input.csv"
    file.write_bytes(content)
    result = load(f"file://{file}", transport=transport)
    assert result["counts"]["read"] == result["records"] == len(wanted)
    assert {row["Key__c"]: row["Text__c"] for row in org.rows("Thing__c")} == wanted
    if not wanted:
        assert org.jobs == {}


def test_a_required_field_that_no_column_or_no_cell_has(org: SimulatedOrg) -> None:
    org.define_object("Strict__c", [Field("Must__c", nillable=False), Field("May__c")])
    for rows, says in (
        ([{"May__c": "a"}], "a new Strict__c needs Must__c"),
        ([{"Must__c": "a", "May__c": "b"}, {"Must__c": None, "May__c": "b"}], "rows row 2, column Must__c"),
    ):
        with pytest.raises(AirflowFailException, match=says):
            load(rows, sobject="Strict__c")
    _nothing_was_sent(org)


def test_a_field_that_is_no_external_id(org: SimulatedOrg) -> None:
    with pytest.raises(AirflowFailException, match="Text__c is neither an external id nor an idLookup field"):
        load([{"Text__c": "a"}], "upsert", external_id_field="Text__c")
    _nothing_was_sent(org)


@pytest.mark.parametrize("dry_run", [True, False])
def test_all_faults_are_told_at_once_and_written_down(org: SimulatedOrg, tmp_path: Path, dry_run: bool) -> None:
    first, second, results = tmp_path / "1.csv", tmp_path / "2.csv", tmp_path / "results"
    first.write_text("Key__c,Whole__c,Day__c\na,x,2026-01-01\nb,1,never\nc\n")
    second.write_text("Key__c,Whole__c,Day__c\na,2,2026-01-01\n" + "".join(f"k{n},y,2026-01-01\n" for n in range(30)))
    with pytest.raises(AirflowFailException) as refused:
        load(f"file://{tmp_path}/?.csv", "upsert", dry_run=dry_run, results_path=f"file://{results}")
    message = str(refused.value)
    assert "34 faults in its rows, so nothing was sent" in message
    assert f"file://{first} row 1, column Whole__c" in message
    assert "and 14 more" in message
    [written] = results.iterdir()
    assert written.name.startswith("faults-")
    with written.open(newline="") as file:
        told = list(csv.DictReader(file))
    assert len(told) == 34
    assert {(row["file"][-5:], row["row"], row["column"]) for row in told} >= {
        ("1.csv", "1", "Whole__c"),
        ("1.csv", "2", "Day__c"),
        ("1.csv", "3", ""),
        ("2.csv", "1", "Key__c"),
        ("2.csv", "31", "Whole__c"),
    }
    _nothing_was_sent(org)
