from __future__ import annotations

import pytest

from airflow_provider_sfjwt.ui import charts, wording


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"), (0, "0.00 s"), (0.123, "0.12 s"), (9.994, "9.99 s"), (12.4, "12 s"), (59.6, "60 s"), (60, "1 min 00 s"),
        (3_599, "59 min 59 s"), (3_600, "1 h 00 min"), (86_400, "1 d 0 h"), (864_000_000, "10,000 d 0 h"), (-5, "−5.00 s"),
    ],
)  # fmt: skip
def test_durations(seconds: float | None, words: str) -> None:
    assert wording.duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(None, "–"), (0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (2_500_000, "2.5 MB"), (5e15, "5,000.0 TB")],
)
def test_sizes(count: float | None, words: str) -> None:
    assert wording.size(count) == words


def test_moments_are_in_utc() -> None:
    assert wording.moment("2026-11-26T08:00:00+01:00") == "2026-11-26 07:00:00 UTC"
    assert wording.moment("2026-11-26T07:00:00Z") == "2026-11-26 07:00:00 UTC"
    assert wording.moment("yesterday") == "yesterday"
    assert wording.moment("") == "–"
    assert wording.span("x", "y") == "x to y"


def test_only_all_rows_are_100_percent() -> None:
    shares = charts.stacked({"succeeded": 999_999, "failed": 1}, ("succeeded", "failed"))
    assert [each.percent for each in shares] == ["> 99.9 %", "< 0.1 %"]
    assert all(each.width >= 5 for each in shares)
    assert sum(each.width for each in shares) == pytest.approx(charts.WIDTH, abs=0.2)
    assert [each.percent for each in charts.stacked({"succeeded": 5, "failed": 0}, ("succeeded", "failed"))] == [
        "100 %"
    ]
    assert charts.stacked({}, ("succeeded",)) == []
