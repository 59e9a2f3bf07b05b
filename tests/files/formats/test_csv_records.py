from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sfjwt.compat.csv_text import csv_rows
from airflow_provider_sfjwt.exceptions import TransportError
from airflow_provider_sfjwt.files.formats.csv_records import count_records, end_of_first_record, whole_records
from tests.files.bodies import ChunkedBody, salesforce_csv

cells = st.text(alphabet=st.sampled_from('ab",\n\r\x00é🚀 '), max_size=12)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=30)
)


def pieces_of(page: bytes, block: int, chunk: int) -> list[bytes]:
    return [bytes(piece) for piece in whole_records(ChunkedBody(page, chunk), block)]


@given(tables, st.integers(1, 64), st.integers(1, 64))
def test_pieces_are_whole_records_and_nothing_is_lost(table: list[list[str]], block: int, chunk: int) -> None:
    page = salesforce_csv(table)
    pieces = pieces_of(page, block, chunk)
    assert b"".join(pieces) == page
    read = [row for piece in pieces for row in csv_rows(piece.decode())]
    assert read == table
    assert sum(count_records(piece) for piece in pieces) == len(table)


@given(tables)
def test_first_record_ends_where_the_header_ends(table: list[list[str]]) -> None:
    page = salesforce_csv(table)
    end = end_of_first_record(page)
    assert page[:end] == salesforce_csv(table[:1])


def test_last_record_may_lack_its_newline() -> None:
    page = salesforce_csv([["Id"], ["1"], ["2"]]).rstrip(b"\n")
    assert b"".join(pieces_of(page, 4, 3)) == page
    assert count_records(page) == 3


def test_a_page_that_ends_within_a_value_is_refused() -> None:
    with pytest.raises(TransportError, match="not whole"):
        pieces_of(b'"Id","Name"\n"1","cut in the mid', 8, 8)


def test_an_empty_page_has_no_pieces() -> None:
    assert pieces_of(b"", 8, 8) == []


def test_memory_stays_at_two_blocks_whatever_the_page() -> None:
    page = salesforce_csv([["x" * 20]] * 10_000)
    assert max(len(piece) for piece in pieces_of(page, 1000, 1 << 20)) <= 2000
