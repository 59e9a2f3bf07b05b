from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import ApiError, ProtocolError
from airflow_provider_sfjwt.salesforce.api.changes import Rows, Window, rows_of
from airflow_provider_sfjwt.salesforce.api.session import Session
from tests.salesforce.api.scripted import Script, ok

SINCE, UNTIL = datetime(2026, 11, 26, 8, tzinfo=timezone.utc), datetime(2026, 11, 26, 9, tzinfo=timezone.utc)


def window(**changes: Any) -> Window:
    return Window(
        **{
            "sobject": "Account",
            "where": None,
            "include_deleted": False,
            "since": SINCE,
            "until": UNTIL,
            "most": 3,
            **changes,
        }
    )


def row(number: int) -> dict[str, str]:
    return {"Id": f"00{number}", "SystemModstamp": "2026-11-26T08:30:00.000+0000"}


def page(*rows: dict[str, str], total: int | None = None, following: str | None = None) -> dict[str, Any]:
    size = len(rows) if total is None else total
    return {"totalSize": size, "done": following is None, "records": list(rows), "nextRecordsUrl": following}


def composite(*bodies: Any, status: int = 200) -> Any:
    return ok({"compositeResponse": [{"httpStatusCode": status, "body": body} for body in bodies]})


def asked(script: Script, session: Session, *windows: Window) -> list[Rows | ApiError]:
    return script.run(rows_of(session, list(windows) or [window()]))


def test_the_query_of_a_window() -> None:
    assert window().soql == (
        "SELECT Id, SystemModstamp FROM Account WHERE SystemModstamp >= 2026-11-26T08:00:00Z AND SystemModstamp < "
        "2026-11-26T09:00:00Z ORDER BY SystemModstamp LIMIT 4"
    )
    assert "AND (Type = 'A' OR Type = 'B') ORDER" in window(where="Type = 'A' OR Type = 'B'").soql


def test_each_window_has_its_rows(session: Session) -> None:
    script = Script(composite(page(row(1), row(2)), page()))
    found = asked(script, session, window(), window(sobject="Lead", include_deleted=True))
    stamp = row(1)["SystemModstamp"]
    assert found == [Rows((("001", stamp), ("002", stamp))), Rows(())]
    body = (script.requests[0].body or b"").decode()
    assert script.paths == ["POST /services/data/v66.0/composite"]
    assert "/services/data/v66.0/query?q=SELECT" in body
    assert "/services/data/v66.0/queryAll?q=SELECT" in body


def test_further_pages_are_fetched_up_to_what_is_told_apart(session: Session) -> None:
    script = Script(composite(page(row(1), total=2, following="/more")), ok(page(row(2), total=2)))
    (found,) = asked(script, session)
    assert isinstance(found, Rows)
    assert len(found.pairs or ()) == 2


def test_more_rows_than_are_told_apart_are_not_fetched(session: Session) -> None:
    assert asked(Script(composite(page(row(1), total=4, following="/more"))), session) == [Rows(None)]


def test_rows_that_salesforce_does_not_count_are_counted(session: Session) -> None:
    pages = [page(row(1), row(2), total=-1, following="/more"), page(row(3), row(4), total=-1)]
    assert asked(Script(composite(pages[0]), ok(pages[1])), session) == [Rows(None)]


def test_a_refusal_is_that_windows_alone(session: Session) -> None:
    refused = {"httpStatusCode": 400, "body": [{"errorCode": "INVALID_FIELD", "message": "no such column"}]}
    script = Script(ok({"compositeResponse": [refused, {"httpStatusCode": 200, "body": page()}]}))
    first, second = asked(script, session, window(), window())
    assert isinstance(first, ApiError)
    assert first.has_code("INVALID_FIELD")
    assert second == Rows(())


@pytest.mark.parametrize(
    "answer",
    [[], {"compositeResponse": []}, {"compositeResponse": [{"body": {}}]}, {"compositeResponse": [5]}],
    ids=["a list", "none", "no status", "a number"],
)
def test_an_answer_that_cannot_be_understood(session: Session, answer: Any) -> None:
    with pytest.raises(ProtocolError):
        asked(Script(ok(answer)), session)


def test_a_row_without_what_was_asked_for(session: Session) -> None:
    with pytest.raises(ProtocolError, match="a row of Account has no 'SystemModstamp'"):
        asked(Script(composite(page({"Id": "001"}))), session)


def test_six_windows_are_too_many_for_a_call(session: Session) -> None:
    with pytest.raises(ValueError, match="one call takes 5 queries"):
        asked(Script(), session, *[window()] * 6)
