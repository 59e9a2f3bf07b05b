from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_sfjwt.exceptions import ProtocolError, TransportError
from airflow_provider_sfjwt.load.outcomes.matching import Results, RowKeys, match, numbers, read_results
from airflow_provider_sfjwt.load.staging.parts import BLOCK
from airflow_provider_sfjwt.load.staging.staging import Staging
from tests.files.bodies import ChunkedBody, salesforce_csv
from tests.random_tests import examples

OURS = ("sf__Id", "sf__Created")
Row = Sequence[str | None]
cells = st.none() | st.sampled_from(["a", "b", "1", "11", "\x1f", "1\x1f", "\x1f1", ",", '"', "\n", "#N/A"])


@st.composite
def sent_and_order(draw: st.DrawFn) -> tuple[list[list[str | None]], list[int], int]:
    width = draw(st.integers(1, 3))
    rows = draw(st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=25))
    if draw(st.booleans()):  # a column without repetition
        rows = [[f"id {place}", *row] for place, row in enumerate(rows)]
    chosen = draw(st.permutations(range(len(rows))))
    return rows, list(chosen), draw(st.integers(0, len(rows)))


def names_of(rows: Sequence[Row]) -> list[str]:
    return [f"Field{place}__c" for place in range(len(rows[0]))]


@contextmanager
def keys_of(rows: Sequence[Row], *, block: int = BLOCK, **options: int) -> Iterator[RowKeys]:
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(len(rows[0]))]
    with Staging(names_of(rows), block=block) as staging:
        staging.add(pa.Table.from_arrays(columns, names=names_of(rows)), 0)
        (part,) = staging.parts()
        yield RowKeys(part, **options)


def results_of(keys: RowKeys, rows: Sequence[Row], *, upper: bool = False, block: int = BLOCK) -> Results:
    names = [name.upper() if upper else name for name in keys.names]
    cells = [[f"id of {place}", "true", *(cell or "" for cell in row)] for place, row in enumerate(rows)]
    return read_results(ChunkedBody(salesforce_csv([[*OURS, *names], *cells]), 7), keys, OURS, block=block)


def matched(sent: Sequence[Row], results: Sequence[Row], *, compared: int = 100) -> list[int]:
    with keys_of(sent) as keys:
        found: list[int] = match(keys.values, results_of(keys, results).keys, compared=compared).to_pylist()
    return found


@settings(deadline=None, max_examples=examples(60))
@given(sent_and_order(), st.booleans(), st.integers(1, 30), st.integers(20, 200))
def test_each_result_finds_a_row_of_its_own_with_the_same_cells(
    case: tuple[list[list[str | None]], list[int], int], upper: bool, compared: int, block: int
) -> None:
    rows, order, count = case
    with keys_of(rows, block=block, compared=compared) as keys:
        results = results_of(keys, [rows[place] for place in order[:count]], upper=upper, block=block)
        found = match(keys.values, results.keys, compared=compared).to_pylist()
    assert len(set(found)) == len(found) == results.rows == results.known.num_rows == count
    assert [rows[place] for place in found] == [rows[place] for place in order[:count]]
    assert results.known.column("sf__Id").to_pylist() == [f"id of {place}" for place in range(count)]


def test_cells_that_only_look_the_same_one_after_another_are_told_apart() -> None:
    rows: list[Row] = [["1\x1f", "1"], ["1", "\x1f1"], ["1", "\x1f1"]]
    assert matched(rows, [rows[1], rows[0], rows[2]]) == [1, 0, 2]


def test_what_was_not_sent_and_what_comes_too_often_matches_nothing() -> None:
    found = matched([["a"], ["b"], ["b"]], [["b"], ["c"], ["b"], ["b"], ["a"], ["a"]])
    assert found == [1, -1, 2, -1, 0, -1]
    assert matched([["a"], ["b"]], [["b"], ["b"], [None]]) == [1, -1, -1]


def test_equal_rows_are_given_out_in_their_order() -> None:
    sent = [["a"], ["b"], ["a"], ["b"], ["a"]]
    assert matched(sent, [["a"]], compared=2) == [0]
    assert matched(sent, [["a"], ["b"], ["a"], ["a"], ["b"]], compared=2) == [0, 1, 2, 4, 3]


def test_nothing_matches_nothing() -> None:
    empty = pa.array([], pa.string())
    assert match(empty, empty).to_pylist() == []
    assert match(pa.array(["a"]), empty).to_pylist() == []
    assert match(empty, pa.array(["a"])).to_pylist() == [-1]
    assert list(numbers(pa.array([5, 6, 7, 8], pa.int64()).slice(1, 2))) == [6, 7]


def test_a_column_without_repetition_is_enough_to_tell_rows_apart() -> None:
    with keys_of([["x", "1", "p"], ["x", "2", "q"]]) as keys:
        assert keys.needed == ("Field1__c",)
        assert keys.values.to_pylist() == ["1", "2"]
        results = results_of(keys, [["of", "2", "no matter"]])
        assert match(keys.values, results.keys).to_pylist() == [1]


def test_rows_without_such_a_column_are_told_apart_by_all_cells() -> None:
    with keys_of([["x", "1"], ["x", "2"], ["y", "1"]]) as keys:
        assert keys.needed == ("Field0__c", "Field1__c")
        assert len(set(keys.values.to_pylist())) == 3


@pytest.mark.parametrize(("first", "needed"), [(3, ("Field3__c",)), (1, ("Field1__c",)), (0, ("Field0__c",))])
def test_a_column_that_repeats_itself_further_down_is_not_taken(first: int, needed: tuple[str, ...]) -> None:
    # The columns before the wanted one begin again at the last row.
    rows = [[str(place % 49) if column < first else str(place) for column in range(4)] for place in range(50)]
    with keys_of(rows, block=100, candidates=9, compared=7) as keys:
        assert keys.needed == needed
        assert len(set(keys.values.to_pylist())) == 50
    with keys_of(rows, block=100, candidates=1, compared=7) as keys:
        assert len(keys.needed) == (1 if first == 0 else 4)
        assert len(set(keys.values.to_pylist())) == 50


def test_only_the_columns_by_which_rows_are_recognised_must_come_back() -> None:
    echo = b'"sf__Id","sf__Created","Field0__c"\n"1","true","a"\n'
    with keys_of([["a", "b"], ["a", "b"]]) as keys, pytest.raises(ProtocolError, match="lacks the columns Field1__c"):
        read_results(ChunkedBody(echo), keys, OURS)
    with keys_of([["a", "b"]]) as keys:
        assert read_results(ChunkedBody(echo), keys, OURS).rows == 1


def test_the_key_comes_first_and_line_ends_do_not_matter() -> None:
    with Staging(["Text__c", "Key__c"]) as staging:
        staging.add(pa.table({"Text__c": ["two\r\nlines", "x"], "Key__c": ["k1", "k2"]}), 0)
        (part,) = staging.parts()
        assert RowKeys(part, ["Key__c"]).needed == ("Key__c",)
        for keys in (RowKeys(part), RowKeys(part, ["Key__c"]), RowKeys(part, candidates=0)):
            echo = b'"sf__Id","sf__Created","Text__c","Key__c"\n"1","true","x","k2"\n"2","true","two\nlines","k1"\n'
            results = read_results(ChunkedBody(echo), keys, OURS)
            assert match(keys.values, results.keys).to_pylist() == [1, 0]


def test_salesforces_own_columns_are_not_taken_for_sent_ones() -> None:
    with Staging(["sf__Error"]) as staging:
        staging.add(pa.table({"sf__Error": ["a"]}), 0)
        keys = RowKeys(staging.parts()[0])
        with pytest.raises(ProtocolError, match="lacks the columns sf__Error"):
            read_results(ChunkedBody(b'"sf__Id","sf__Error"\n"1","a"\n'), keys, ("sf__Error",))


def test_a_result_set_without_a_column_of_salesforces_own_is_refused() -> None:
    with keys_of([["a"]]) as keys, pytest.raises(ProtocolError, match="lacks the column sf__Created"):
        read_results(ChunkedBody(b'"sf__Id","Field0__c"\n"1","a"\n'), keys, OURS)


def test_results_are_read_as_text() -> None:
    rows = [["001", "true", "a\nb"], ["", "false", '"'], ["NA", "", "NA"]]
    with keys_of([[row[2]] for row in rows]) as keys:
        results = read_results(ChunkedBody(salesforce_csv([[*OURS, "Field0__c"], *rows]), 7), keys, OURS)
    assert results.known.column_names == list(OURS)
    assert [list(row.values()) for row in results.known.to_pylist()] == [["001", "true"], [None, "false"], ["NA", None]]
    assert results.keys.to_pylist() == [row[2] for row in rows]


@pytest.mark.parametrize("body", [b"", b'"sf__Id","sf__Created","Field0__c"\n', b'"nothing"\n', b'"nothing"'])
@pytest.mark.parametrize("rows", [[["a"]], [["a"], ["a"]]])
def test_results_without_rows_may_lack_even_a_header(body: bytes, rows: list[Row]) -> None:
    with keys_of(rows) as keys:
        results = read_results(ChunkedBody(body), keys, OURS)
        assert (results.rows, results.known.num_rows, results.known.column_names) == (0, 0, list(OURS))
        assert match(keys.values, results.keys).to_pylist() == []


def test_results_that_are_not_whole_or_no_csv_are_refused() -> None:
    header = b'"sf__Id","sf__Created","Field0__c"\n'
    with keys_of([["a"]]) as keys:
        with pytest.raises(TransportError):
            read_results(ChunkedBody(header + b'"1","true","cut'), keys, OURS)
        with pytest.raises(ProtocolError, match="cannot be read as CSV"):
            read_results(ChunkedBody(header + b'"1"\n'), keys, OURS)
