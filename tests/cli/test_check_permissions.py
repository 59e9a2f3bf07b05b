"""``airflow-salesforce-jwt check --permissions``: what the user may do, what is missing, and where it is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.cli.conftest import Outcome

Airflow = Callable[..., Outcome]


def steps(airflow: Airflow, *sobjects: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the findings on permissions by their names."""
    done = airflow("check", "sf", "--json", "--permissions", *sobjects)
    assert done.err == ""
    return done.code, {each["name"]: each for each in json.loads(done.out)["steps"][8:]}


def test_a_user_who_may_do_everything(airflow: Airflow, org: SimulatedOrg) -> None:
    org.hard_delete_allowed = True
    code, found = steps(airflow, "account")
    assert code == 0
    assert list(found) == ["API", "hard delete", "View All", "Account", "Account rows", "Account fields"]
    assert {each["mark"] for each in found.values()} == {"ok"}
    assert found["Account"]["detail"] == "The user may read, create, edit, delete"
    assert found["Account fields"]["detail"].startswith("All ")


def test_what_is_missing_is_named_with_its_page(airflow: Airflow, org: SimulatedOrg) -> None:
    org.view_all_data = False
    org.view_all_objects = ["Contact"]
    org.hide_field("Account", "AnnualRevenue")
    org.hide_field("Account", "Industry")
    code, found = steps(airflow, "Account", "Contact")
    assert code == 0
    marks = {name: each["mark"] for name, each in found.items()}
    assert marks == {
        "API": "ok", "hard delete": "warning", "View All": "ok", "Account": "ok", "Account rows": "warning",
        "Account fields": "warning", "Contact": "ok", "Contact rows": "ok", "Contact fields": "ok",
    }  # fmt: skip
    assert "are hidden: AnnualRevenue, Industry" in found["Account fields"]["detail"]
    assert found["Account fields"]["setup_page"].endswith("Object Settings → Account → Field Permissions")
    assert "View All" in found["Account rows"]["remedy"]
    assert found["hard delete"]["remedy"] == "For hardDelete, tick 'Bulk API Hard Delete'"
    assert found["hard delete"]["setup_page"].endswith("System Permissions")


def test_a_user_without_view_setup_is_told_what_cannot_be_asked(airflow: Airflow, org: SimulatedOrg) -> None:
    org.view_all_data = org.view_setup = False
    code, found = steps(airflow, "Account")
    assert code == 0
    assert found["Account rows"]["mark"] == "skipped"
    assert "View Setup and Configuration" in found["Account rows"]["detail"]


def test_an_object_that_the_user_may_not_see_fails(airflow: Airflow, org: SimulatedOrg) -> None:
    code, found = steps(airflow, "Nowhere__c", "Contact")
    assert code == 1
    assert found["Nowhere__c"]["mark"] == "failed"
    assert "give Read on Nowhere__c" in found["Nowhere__c"]["remedy"]
    assert found["Contact"]["mark"] == "ok"


def test_rights_and_fields_that_are_read_only(airflow: Airflow, org: SimulatedOrg) -> None:
    def read_only(description: dict[str, Any]) -> dict[str, Any]:
        for field in description["fields"]:
            if field["name"] == "Industry":
                field |= {"permissionable": True, "createable": False, "updateable": False}
        return {**description, "deletable": False}

    org.add_fault(Fault(path="*/Account/describe", edit_json=read_only))
    code, found = steps(airflow, "Account")
    assert code == 0
    assert found["Account"]["detail"] == "The user may read, create, edit, and not delete"
    assert found["Account fields"]["detail"] == "1 field can be read and not written: Industry"


def test_an_object_that_may_not_be_read_fails(airflow: Airflow, org: SimulatedOrg) -> None:
    org.add_fault(Fault(path="*/Account/describe", edit_json=lambda answer: {**answer, "queryable": False}))
    code, found = steps(airflow, "Account")
    assert (code, found["Account"]["mark"]) == (1, "failed")


def test_permissions_that_the_org_does_not_know_are_no_fault(airflow: Airflow, org: SimulatedOrg) -> None:
    refusal = json.dumps([{"errorCode": "INVALID_FIELD", "message": "No such column"}]).encode()
    org.add_fault(Fault(path="*/query*", status=400, body=refusal, times=3))
    code, found = steps(airflow, "Account")
    assert code == 0
    assert found["hard delete"]["mark"] == "warning"


def test_a_user_without_api_enabled_fails_before(airflow: Airflow, org: SimulatedOrg) -> None:
    org.api_enabled = False
    done = airflow("check", "sf", "--permissions", "Account")
    assert done.code == 1
    assert "API Enabled" in done.out
    assert "Setup page: Permission Sets" in done.out


@pytest.mark.parametrize("soql", [
    "SELECT PermissionsNoSuch FROM UserPermissionAccess", "SELECT QualifiedApiName FROM FieldDefinition",
    "SELECT PermissionsRead FROM ObjectPermissions WHERE SobjectType = 'Account'",
])  # fmt: skip
def test_the_simulated_org_refuses_what_it_does_not_know(
    org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch, soql: str
) -> None:
    from airflow_provider_sfjwt.exceptions import ApiError
    from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

    with pytest.raises(ApiError, match="INVALID_FIELD|the simulator knows"):
        list(SalesforceJwtHook("sf").query(soql))
