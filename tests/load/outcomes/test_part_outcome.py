from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pytest

from airflow_provider_sfjwt.exceptions import ErrorItem, ProtocolError
from airflow_provider_sfjwt.load.outcomes.matching import Results, RowKeys
from airflow_provider_sfjwt.load.outcomes.part_outcome import Accepted, PartOutcome, read_accepted, read_rejected
from airflow_provider_sfjwt.load.staging.staging import Staging
from airflow_provider_sfjwt.salesforce.api.row_errors import parse_row_error
from tests.files.bodies import ChunkedBody, salesforce_csv

LOCKED = "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record:--"
MISSING = "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName FirstName --"


@contextmanager
def keys_of(cells: Sequence[str | None]) -> Iterator[RowKeys]:
    with Staging(["Name"]) as staging:
        staging.add(pa.table({"Name": pa.array(cells, pa.string())}), 0)
        (part,) = staging.parts()
        yield RowKeys(part)


def took(keys: RowKeys, rows: Sequence[tuple[str, str, str]]) -> Results:
    body = salesforce_csv([["sf__Id", "sf__Created", "Name"], *rows])
    return read_accepted(ChunkedBody(body), keys)


def refused(keys: RowKeys, rows: Sequence[tuple[str, str]]) -> Results:
    body = salesforce_csv([["sf__Id", "sf__Error", "Name"], *(["", *row] for row in rows)])
    return read_rejected(ChunkedBody(body), keys)


def ids(outcome: PartOutcome, rows: Sequence[int]) -> list[tuple[str, str]]:
    return [tuple(each.values()) for each in outcome.known("accepted", rows).to_pylist()]


def test_each_row_has_what_its_own_result_says() -> None:
    outcome = PartOutcome(5)
    with keys_of(list("abcde")) as keys:
        outcome.take_accepted(took(keys, [("id d", "true", "d"), ("id a", "FALSE", "a"), ("", "", "e")]))
        outcome.take_rejected(refused(keys, [(LOCKED, "c")]))
    assert outcome.count() == {"accepted": 3, "rejected": 1, "unprocessed": 1}
    assert [list(outcome.row_numbers(state)) for state in ("accepted", "rejected", "unprocessed")] == [
        [0, 3, 4],
        [2],
        [1],
    ]
    assert ids(outcome, [0, 3, 4]) == [("id a", "false"), ("id d", "true"), ("", "false")]
    assert ids(outcome, range(3, 5)) == [("id d", "true"), ("", "false")]
    assert outcome.known("unprocessed", [1]).column_names == []
    assert outcome.passing() == [2]


def test_a_later_job_says_more_of_a_row() -> None:
    outcome = PartOutcome(4)
    with keys_of(list("abcd")) as keys:
        outcome.take_rejected(refused(keys, [(LOCKED, "d"), (LOCKED, "b"), (MISSING, "c")]))
        outcome.take_accepted(took(keys, [("1", "true", "a")]))
        assert outcome.passing() == [1, 3]
        outcome.take_accepted(took(keys, [("2", "true", "d")]))
        outcome.take_rejected(refused(keys, [(MISSING, "b")]))
    assert outcome.passing() == []
    assert ids(outcome, [3, 0]) == [("2", "true"), ("1", "true")]
    assert (
        outcome.known("rejected", [1, 2]).to_pylist()
        == [
            {
                "error_code": "REQUIRED_FIELD_MISSING",
                "error_message": "Required fields are missing: [LastName]",
                "error_fields": "LastName FirstName",
            }
        ]
        * 2
    )


def test_equal_rows_are_each_accounted_for_once_over_several_jobs() -> None:
    outcome = PartOutcome(5)
    with keys_of(["x", None, "x", "x", None]) as keys:
        outcome.take_accepted(took(keys, [("1", "true", "x")]))
        outcome.take_rejected(refused(keys, [(LOCKED, ""), (LOCKED, "x"), (LOCKED, "x"), (LOCKED, "")]))
        assert outcome.passing() == [1, 2, 3, 4]
        outcome.take_accepted(
            took(keys, [("2", "true", ""), ("3", "true", "x"), ("4", "true", "x"), ("5", "true", "")])
        )
        assert outcome.count()["accepted"] == 5
        assert [each for each, _ in ids(outcome, range(5))] == ["1", "2", "3", "4", "5"]
        with pytest.raises(ProtocolError, match="matches no row"):
            outcome.take_accepted(took(keys, [("6", "true", "x")]))


def test_a_result_of_no_row_is_refused() -> None:
    with keys_of(["a", "b"]) as keys:
        for results in (took(keys, [("1", "true", "c")]), took(keys, [("1", "true", "a"), ("2", "true", "a")])):
            with pytest.raises(ProtocolError, match="matches no row"):
                PartOutcome(2).take_accepted(results)
        with pytest.raises(ProtocolError, match="matches no row"):
            PartOutcome(2).take_rejected(refused(keys, [(LOCKED, "")]))


def test_result_sets_without_rows_change_nothing() -> None:
    outcome = PartOutcome(2)
    with keys_of(["a", "a"]) as keys:
        outcome.take_accepted(took(keys, []))
        outcome.take_rejected(refused(keys, []))
        outcome.take_accepted(took(keys, [("1", "true", "a")]))
    assert outcome.count() == {"accepted": 1, "rejected": 0, "unprocessed": 1}
    assert ids(outcome, [0]) == [("1", "true")]


def test_many_errors_are_read_a_piece_at_a_time() -> None:
    texts = [LOCKED if place % 3 else f"CODE_{place}:message {place}:Field{place}__c --" for place in range(50)]
    order = random.Random(5).sample(range(50), 50)
    outcome = PartOutcome(50)
    with keys_of([str(place) for place in range(50)]) as keys:
        outcome.take_rejected(refused(keys, [(texts[place], str(place)) for place in order]))
    assert outcome.passing(at_once=7) == [place for place in range(50) if place % 3]
    told = [tuple(each.values()) for each in outcome.known("rejected", range(50)).to_pylist()]
    expected = [parse_row_error(text) for text in texts]
    assert told == [(error.code, error.message, " ".join(error.fields)) for error in expected]


def test_single_rows_are_told_without_a_job() -> None:
    outcome = PartOutcome(3)
    outcome.take_error(1, ErrorItem("UNABLE_TO_LOCK_ROW", "wait"))
    outcome.take_record(0, Accepted("1", created=True))
    assert outcome.passing() == [1]
    outcome.take_record(1, Accepted("2", created=False))
    outcome.take_error(2, ErrorItem("OTHER", "no", ("A", "B")))
    assert (ids(outcome, [1, 0]), outcome.passing()) == ([("2", "false"), ("1", "true")], [])
    assert [tuple(each.values()) for each in outcome.known("rejected", [2]).to_pylist()] == [("OTHER", "no", "A B")]


def test_rows_are_looked_for_within_bounds() -> None:
    outcome = PartOutcome(6)
    for row in (1, 2, 3):
        outcome.take_error(row, ErrorItem("OTHER", str(row)))
    assert list(outcome.row_numbers("rejected", 2, 5)) == [2, 3]
    assert list(outcome.row_numbers("rejected", 1, 4)) == [1, 2, 3]
    assert list(outcome.row_numbers("unprocessed", 2)) == [4, 5]
    assert not outcome.row_numbers("accepted")
    outcome.accept_all()
    assert (list(outcome.row_numbers("accepted")), outcome.count()["accepted"]) == ([0, 1, 2, 3, 4, 5], 6)
