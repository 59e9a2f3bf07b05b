"""What Salesforce says of the user's permissions, and what it refuses to say."""

from __future__ import annotations

import pytest

from airflow_provider_sfjwt.exceptions import ApiError
from airflow_provider_sfjwt.salesforce.api.permissions import field_names, user_permissions, views_all_records
from airflow_provider_sfjwt.salesforce.api.session import Session
from tests.salesforce.api.scripted import Script, ok, refusal


def rows(*records: dict[str, object]) -> dict[str, object]:
    return {"totalSize": len(records), "done": True, "records": list(records)}


def test_each_permission_is_asked_for_by_itself(session: Session) -> None:
    script = Script(ok(rows({"PermissionsApiEnabled": True})), refusal(400, "INVALID_FIELD"), ok(rows()))
    found = script.run(user_permissions(session, ["ApiEnabled", "NoSuch", "ViewAllData"]))
    assert found == {"ApiEnabled": True, "NoSuch": None, "ViewAllData": None}


@pytest.mark.parametrize(
    ("records", "seen"),
    [
        ([], False),
        ([{"PermissionsViewAllRecords": False}], False),
        ([{"PermissionsViewAllRecords": False}, {"PermissionsViewAllRecords": True}], True),
    ],
)
def test_any_permission_set_may_give_view_all(session: Session, records: list[dict[str, object]], seen: bool) -> None:
    script = Script(ok(rows(*records)))
    assert script.run(views_all_records(session, "Account", "005000000000001AAA")) is seen
    assert "005000000000001AAA" in script.requests[0].url


def test_what_may_not_be_asked_is_not_known(session: Session) -> None:
    assert Script(refusal(400, "INVALID_TYPE")).run(views_all_records(session, "Account", "005")) is None
    assert Script(refusal(400, "INVALID_TYPE")).run(field_names(session, "Account")) == []
    assert Script(ok(rows({"QualifiedApiName": "Id"}, {}))).run(field_names(session, "Account")) == ["Id"]


def test_another_refusal_is_an_error(session: Session) -> None:
    with pytest.raises(ApiError, match="MALFORMED_QUERY"):
        Script(refusal(400, "MALFORMED_QUERY")).run(field_names(session, "Account"))
