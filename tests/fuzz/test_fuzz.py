"""A sample of foreign bytes for each target, the same each time, and every case that was ever found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.cases import CASES
from tests.fuzz.run import fault_of, fuzz
from tests.fuzz.targets import TARGETS, case

#: Seconds of all targets together, and inputs of each at most.
SECONDS, INPUTS = 18.0, 500


@pytest.mark.timeout(240)
def test_foreign_bytes_end_in_a_value_or_in_an_error_of_ours() -> None:
    rows = fuzz(SECONDS, 0, inputs=INPUTS)
    assert {row.target: row.findings for row in rows if row.findings} == {}
    assert {row.target for row in rows if row.inputs} == set(TARGETS)


@pytest.mark.parametrize(("target", "data"), CASES, ids=[f"{target} {data[:16]!r}" for target, data in CASES])
def test_a_case_that_was_found(target: str, data: bytes, tmp_path: Path) -> None:
    assert fault_of(target, data, tmp_path) == ""


def test_an_error_that_is_not_ours_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(data: bytes, folder: Path) -> None:
        int(data)

    known = dict(TARGETS)
    monkeypatch.setattr("tests.fuzz.targets.TARGETS", {**known, "careless": known["URLs"]._replace(call=careless)})
    assert fault_of("careless", b"x", tmp_path).startswith("ValueError: invalid literal")
    assert case(b"\xff\x00") == '"\\u00ff\\u0000"'
