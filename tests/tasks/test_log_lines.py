"""The end of a task's log: short lines, details folded, and one line that programs read."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.salesforce.org.progress import fold
from airflow_provider_sfjwt.tasks.report.log_lines import log_report, summary_line
from airflow_provider_sfjwt.tasks.report.task_report import Failure, Part, RowErrors, TaskReport
from airflow_provider_sfjwt.testing import SimulatedOrg

REPORTS = {
    "Extracted 1,000,000 rows of Account.": TaskReport(
        kind="extract", sobject="Account", rows=1_000_000, api_calls=17, seconds=52.91, bytes=86_000_000,
        parts=(Part("part-0.parquet", 1_000_000, 86_000_000),), api_calls_left=14_000,
    ),
    "Loaded 299 of 300 rows into Contact (upsert).": TaskReport(
        kind="load", sobject="Contact", operation="upsert", rows=299, counts={"read": 300, "succeeded": 299, "failed": 1},
    ),
    "Read 1 row of Account.": TaskReport(kind="query", sobject="Account", rows=1),
    "Merged 25 rows.": TaskReport(kind="merge", rows=25, operation="merge"),
    "Wrote 0 rows of a SQL query into files.": TaskReport(kind="freeze", rows=0),
    "Failed: INVALID_FIELD. Airflow does not try again.": TaskReport(
        kind="extract", sobject="Account", failure=Failure("INVALID_FIELD", "No such column", "Correct where")
    ),
    "Failed: RequestLimitError. Airflow tries again.": TaskReport(
        kind="extract", failure=Failure("RequestLimitError", will_retry=True)
    ),
}  # fmt: skip


def pairs(line: str) -> dict[str, str]:
    """As docs/logs.md tells programs to read a line."""
    return dict(word.split("=", 1) for word in line[line.index("kind=") :].split())


@pytest.mark.parametrize("sentence", REPORTS)
def test_the_last_line_is_a_sentence_and_pairs(sentence: str) -> None:
    report = REPORTS[sentence]
    line = summary_line(report)
    assert line.startswith(f"{sentence} kind={report.kind} outcome=")
    found = pairs(line)
    assert found["outcome"] == ("failure" if report.failure else "success")
    assert found.get("rows") == (None if report.rows is None else str(report.rows))
    assert found.get("error") == (report.failure.code if report.failure else None)
    assert len(sentence) <= 100


def test_the_pairs_of_a_load_count_the_rows_that_failed() -> None:
    report = TaskReport(
        kind="load", rows=1, counts={"read": 6, "succeeded": 1, "failed": 2, "unprocessed": 1, "skipped": 2}
    )
    assert pairs(summary_line(report))["failed"] == "5"


def test_details_are_folded_and_no_line_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    report = TaskReport(
        kind="load",
        sobject="Contact",
        columns=tuple(f"Custom_Field_{number}__c" for number in range(40)),
        drift={"added": ("Custom_Field_1__c",), "removed": (), "retyped": ()},
        parts=(Part("part 0", 12_000, 900_000, 0.0, 4.21), Part("part 1", 7, 512)),
        errors=(RowErrors("FIELD_CUSTOM_VALIDATION_EXCEPTION", 1_204, ("Email", "Phone")), RowErrors("DUPLICATE", 3)),
    )
    log_report(logging.getLogger("task"), report)
    lines = caplog.messages
    assert [line for line in lines if line.startswith("::")] == [
        "::group::40 columns · added: Custom_Field_1__c", "::endgroup::",
        "::group::2 parts", "::endgroup::",
        "::group::Errors of 1,207 rows, by code", "::endgroup::",
    ]  # fmt: skip
    assert max(map(len, lines[:-1])) <= 100
    assert lines[lines.index("::group::2 parts") + 1 :][:3] == [
        "part      rows    bytes  seconds",
        "part 0  12,000  900,000      4.2",
        "part 1       7      512",
    ]
    assert "FIELD_CUSTOM_VALIDATION_EXCEPTION  1,204  Email, Phone" in lines


def test_a_long_query_is_broken_between_its_words(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    soql = f"SELECT {', '.join(f'Field_{number}__c' for number in range(60))} FROM Account WHERE Name = 'a-b'"
    fold(logging.getLogger("task"), "Query of Account", [soql])
    assert max(map(len, caplog.messages)) <= 100
    assert " ".join(line.strip() for line in caplog.messages[1:-1]) == soql


def logged(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the operator logs is the log of its task; Airflow puts the time and the level before each line."""
    lines = capsys.readouterr().out.splitlines()
    return [line.partition("] ")[2].rpartition(" [airflow.task.")[0].strip() for line in lines]


def test_a_failure_ends_with_what_to_do(org: SimulatedOrg, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task: Any = SalesforceExtractOperator(
        task_id="x", soql="SELECT Id FROM Account WHERE Nowhere = 1", output_path=f"file://{tmp_path}/x"
    )
    with pytest.raises(AirflowFailException):
        task.execute({})
    shown = logged(capsys)
    summary = next(place for place, line in enumerate(shown) if "outcome=failure" in line)
    assert pairs(shown[summary])["error"] == "INVALID_FIELD"
    after = [line for line in shown[summary + 1 :] if line]
    assert max(map(len, after)) <= 100
    assert after[-1] == "What to do: Check the field's API name, and that the user's field-level security shows it."


def test_a_refused_sign_in_says_its_remedy_once(
    org: SimulatedOrg, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    org.user_active = False
    task: Any = SalesforceExtractOperator(
        task_id="x", soql="SELECT Id FROM Account", output_path=f"file://{tmp_path}/x"
    )
    with pytest.raises(AirflowFailException):
        task.execute({})
    log = " ".join(line for line in logged(capsys) if line)
    assert "is deactivated or frozen (inactive_user: user is inactive). Setup → Users → the user" in log
    assert log.count("activate or unfreeze the user") == 1
    assert "What to do: activate or unfreeze the user." in log
