from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_sfjwt.load.staging.duplicate_keys import DuplicateKeys
from airflow_provider_sfjwt.testing import Field
from tests.load.staging.rows import column, piece_of, table_of
from tests.random_tests import examples

Pieces = list[tuple[str, int, list[str | None]]]


def duplicates(pieces: Pieces, *, compared: int = 50_000, **more: Any) -> list[tuple[str, int | None, str]]:
    key = column(Field("Key__c", external_id=True), **more)
    keys = DuplicateKeys(key, compared=compared)
    for file, first_row, cells in pieces:
        table = table_of([key], cells)
        keys.add(table, piece_of(table, file, first_row))
    counted, faults = keys.faults(1000)
    assert (counted, keys.faults(0)) == (len(faults), (counted, []))
    return [(fault.file, fault.row, fault.message) for fault in faults]


def test_keys_are_compared_over_all_pieces_and_files() -> None:
    pieces: Pieces = [
        ("a.csv", 1, ["k1", "k2"]),
        ("a.csv", 3, ["k3", "K1"]),
        ("b.csv", 1, []),
        ("b.csv", 1, ["k4", "k2", "k2"]),
    ]
    assert duplicates(pieces) == [
        ("a.csv", 4, "Key__c is the same as in row 1"),
        ("b.csv", 2, "Key__c is the same as in row 2 of a.csv"),
        ("b.csv", 3, "Key__c is the same as in row 2 of a.csv"),
    ]
    assert len(duplicates(pieces, caseSensitive=True)) == 2


def test_more_keys_than_are_compared_at_once_are_compared_too() -> None:
    cells: list[str | None] = [f"k{n}" for n in range(500)]
    assert duplicates([("a.csv", 1, cells), ("a.csv", 501, [f"new{n}" for n in range(500)])], compared=7) == []
    found = duplicates([("a.csv", 1, cells), ("b.csv", 1, cells)], compared=7)
    assert found == [("b.csv", row, f"Key__c is the same as in row {row} of a.csv") for row in range(1, 501)]


@given(st.lists(st.text(st.sampled_from("aAbB1 "), max_size=2), max_size=40))
@settings(max_examples=examples(50), deadline=None)
def test_keys_twice_are_found_as_by_a_dictionary(keys: list[str]) -> None:
    seen: set[str] = set()
    expected = [row for row, key in enumerate(keys, 1) if key and (key.lower() in seen or seen.add(key.lower()))]
    assert [row for _, row, _ in duplicates([("a.csv", 1, [*keys])])] == expected
