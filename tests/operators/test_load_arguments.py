"""Arguments of another kind than a load takes: each is named before anything is read or sent."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.operators.load import SalesforceLoadOperator
from airflow_provider_sfjwt.testing import SimulatedOrg

ROWS = [{"Name": "a"}]
#: What DAG files and templates give. Of each argument, everything is refused.
WRONG: dict[str, list[Any]] = {
    "sobject": [None, "", " ", "None", 5, ["Account"]],
    "operation": [None, "", 5, ["insert"], "merge"],
    "source": [None, "", " ", "None", {}],
    "external_id_field": ["", "None", 5, ["Key__c"]],
    "column_mapping": ["Name", ["Name"], {1: "Name"}, {"Name": 1}, {"Name": ""}, {"": "Name"}, {None: "Name"}],
    "null_policy": [None, "", True, "none", ["clear"]],
    "max_failed_records": ["5", None, 1.5, True, -1],
    "max_failed_ratio": ["0.5", float("nan"), float("inf"), True, -0.1, 1.1],
    "results_path": ["", "None", " ", "results", "./results", 5],
    "parallel_jobs": ["4", None, 0, 2.0, True],
    "row_retries": ["2", None, -1, True],
    "group_by": ["", "None", 5, ["Name"]],
    "transport": [None, "", 5, ["bulk"], "soap"],
    "assignment_rule_id": ["", "None", 5],
    "file_format": ["", 5],
    "delimiter": ["", ";;", "\n", 5],
    "encoding": ["", None, "utf-9", "base64"],
    "header": ["Key__c", [], ["Key__c", "key__c"]],
    "dry_run": ["false", "true", "", None, 0, 1],
    "poll_interval": ["30", None, 0, -1, float("nan"), True],
    "timeout": ["30", None, 0, -1, float("nan")],
}
#: What only the operator takes; the hook has its connection already.
WRONG_OF_THE_OPERATOR: dict[str, list[Any]] = {
    "deferrable": ["false", "true", "", None, 0, 1],
    "salesforce_conn_id": [None, "", " ", "None", 5],
    "api_version": ["None", "newest", "66.1", True],
}


@pytest.mark.parametrize("name", WRONG)
def test_an_argument_of_another_kind_is_named_and_nothing_is_done(org: SimulatedOrg, name: str) -> None:
    before = len(org.rows("Account"))
    for value in WRONG[name]:
        arguments = {"sobject": "Account", "operation": "insert", "source": ROWS, name: value}
        if name == "external_id_field":
            arguments["operation"] = "upsert"
        with pytest.raises(AirflowFailException) as refused:
            SalesforceLoadOperator(task_id="load", deferrable=False, **arguments).execute({})
        assert isinstance(refused.value.__context__, ConfigurationError), value
        assert list(refused.value.__context__.fields) == [name], value
        with pytest.raises(ConfigurationError) as told:
            SalesforceJwtHook().load(**arguments)
        assert list(told.value.fields) == [name], value
    assert org.requests == []
    assert len(org.rows("Account")) == before


@pytest.mark.parametrize("name", WRONG_OF_THE_OPERATOR)
def test_so_is_an_argument_that_only_the_operator_takes(org: SimulatedOrg, name: str) -> None:
    for value in WRONG_OF_THE_OPERATOR[name]:
        arguments = {"sobject": "Account", "operation": "insert", "source": ROWS, name: value}
        with pytest.raises(AirflowFailException) as refused:
            SalesforceLoadOperator(task_id="load", **arguments).execute({})
        assert isinstance(refused.value.__context__, ConfigurationError), value
        assert list(refused.value.__context__.fields) == [name], value
    assert org.requests == []


def test_everything_that_is_wrong_is_reported_at_once(org: SimulatedOrg) -> None:
    wrong = {name: values[0] for name, values in WRONG.items()}
    with pytest.raises(ConfigurationError) as reported:
        SalesforceJwtHook().load(**wrong)
    assert set(reported.value.fields) == set(WRONG)
    wrong |= {name: values[0] for name, values in WRONG_OF_THE_OPERATOR.items()}
    with pytest.raises(AirflowFailException) as refused:
        SalesforceLoadOperator(task_id="load", **wrong).execute({})
    assert isinstance(refused.value.__context__, ConfigurationError)
    assert set(refused.value.__context__.fields) == {*WRONG, *WRONG_OF_THE_OPERATOR}
    assert org.requests == []


def test_numbers_whole_or_not_are_right_where_they_have_a_meaning(org: SimulatedOrg) -> None:
    found = SalesforceJwtHook().load(
        sobject="Account", operation="insert", source=ROWS, max_failed_ratio=1, poll_interval=0.001, timeout=60.5
    )
    assert found.counts["succeeded"] == 1
