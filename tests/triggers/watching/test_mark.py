from __future__ import annotations

import json
import random
from datetime import datetime, timedelta, timezone

import pytest

from airflow_provider_sfjwt.triggers.watching.mark import MOST_ROWS, Mark, Pair, first_mark, news
from airflow_provider_sfjwt.triggers.watching.payload import moment_of, moment_text

NOON = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
OVERLAP = timedelta(seconds=300)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def pair(record: str, seconds: float) -> Pair:
    return record, at(seconds).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def test_what_is_there_at_the_beginning_is_not_new() -> None:
    mark = first_mark("00D", [pair("a", -10)], NOON)
    assert news(mark, (pair("a", -10),), at(60), OVERLAP).since is None


def test_what_is_stamped_later_is_new_once() -> None:
    mark = first_mark("00D", [], NOON)
    found = news(mark, (pair("a", 5), pair("b", 7), pair("a", 9)), at(60), OVERLAP)
    assert (found.since, found.ids) == (at(5), ("a", "b"))
    assert news(found.mark, (pair("a", 9), pair("b", 7)), at(120), OVERLAP).since is None


def test_a_row_that_was_committed_late_is_new() -> None:
    mark = news(first_mark("00D", [], NOON), (), at(120), OVERLAP).mark
    found = news(mark, (pair("late", 30),), at(180), OVERLAP)
    assert (found.since, found.ids) == (at(30), ("late",))


def test_rows_are_forgotten_after_the_overlap_and_not_looked_at() -> None:
    mark = news(first_mark("00D", [], NOON), (pair("a", 5),), at(60), OVERLAP).mark
    later = news(mark, (pair("a", 5),), at(400), OVERLAP).mark
    assert later.seen == frozenset()
    assert later.since(OVERLAP) == at(100)


def test_more_rows_than_are_told_apart_are_one_window_and_are_read_once_more() -> None:
    mark = first_mark("00D", [], NOON)
    flood = news(mark, None, at(60), OVERLAP)
    assert (flood.since, flood.ids) == (at(-300), None)
    assert flood.mark.since(OVERLAP) == at(60)  # the flood is not looked at again and again
    quiet = news(flood.mark, (), at(120), OVERLAP)
    assert quiet.since is None
    settled = news(quiet.mark, (pair("a", 340),), at(360), OVERLAP)
    assert (settled.since, settled.ids) == (at(-300), None)  # with what was committed late among the flood
    assert news(settled.mark, (pair("a", 340),), at(420), OVERLAP).since is None


def test_a_flood_at_the_beginning_is_not_new_either() -> None:
    mark = first_mark("00D", None, NOON)
    assert mark.since(OVERLAP) == NOON


@pytest.mark.parametrize(
    "mark", [first_mark("00D", [pair("a", 1)], NOON), first_mark(None, None, NOON)], ids=["few", "many"]
)
def test_a_mark_is_stored_as_json(mark: Mark) -> None:
    flood = news(mark, None, at(60), OVERLAP).mark
    for each in (mark, flood):
        assert Mark.of(json.loads(json.dumps(each.as_json()))) == each


def test_the_largest_mark_fits_into_a_state_store() -> None:
    mark = first_mark("00D", [pair(str(number), -1) for number in range(MOST_ROWS)], NOON)
    assert len(json.dumps(mark.as_json())) < 65_536


@pytest.mark.parametrize("stored", [None, 5, {}, {"org": None, "until": "x", "seen": ""}, {"org": None, "seen": "!"}])
def test_anything_else_is_not_a_mark(stored: object) -> None:
    with pytest.raises(ValueError):
        Mark.of(stored)


def test_moments_are_read_as_they_are_written() -> None:
    assert moment_text(at(0.25)) == "2026-11-26T12:00:00.250Z"
    assert moment_of(moment_text(at(0.25))) == at(0.25)
    assert moment_of("2026-11-26T12:00:00.000+0000") == NOON


def covered(seed: int, most: int) -> tuple[int, int]:
    """Random commits, late ones among them, against the windows of their events. How many, and how many are covered."""
    draw = random.Random(seed)
    commits = []  # stamp, when it is visible, record
    for _ in range(200):
        stamp = draw.randrange(1, 3_000)
        commits.append((stamp, stamp + draw.choice([0, 0, 0, draw.randrange(1, 240)]), f"r{draw.randrange(60)}"))
    latest: dict[str, tuple[int, int]] = {}
    mark, windows = first_mark("00D", [], NOON), []
    for now in range(60, 4_000, 60):
        for stamp, visible, record in commits:
            if visible < now and (record not in latest or latest[record] < (visible, stamp)):
                latest[record] = (visible, stamp)
        begin = (mark.since(OVERLAP) - NOON).total_seconds()
        rows = [pair(record, stamp) for record, (_, stamp) in latest.items() if begin <= stamp < now]
        found = news(mark, None if len(rows) > most else tuple(rows), at(now), OVERLAP)
        if draw.random() < 0.2:
            continue  # Airflow did not store the event: the mark stays
        mark = found.mark
        if found.since is not None:
            windows.append((now, found.since, at(now)))
    # An extract reads what is visible when it runs; a row that is stamped later belongs to a later window.
    final = [(record, *latest[record]) for record in latest]
    inside = [1 for _, visible, stamp in final if any(visible < now and b <= at(stamp) < e for now, b, e in windows)]
    return len(final), len(inside)


@pytest.mark.parametrize("most", [5_000, 8])
def test_random_commits_are_covered_by_the_windows(most: int) -> None:
    for seed in range(20):
        changes, inside = covered(seed, most)
        assert inside == changes, seed
