"""What a user of the fixtures writes. A test copies this file into a project of its own and runs it there."""

# [START success]
import asyncio
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg


def accounts(folder: Path) -> SalesforceExtractOperator:
    return SalesforceExtractOperator(task_id="accounts", sobject="Account", output_path=f"file://{folder}/accounts")


def test_all_accounts_are_extracted(salesforce_jwt_connection: SimulatedOrg, tmp_path: Path) -> None:
    org = salesforce_jwt_connection
    org.insert("Account", [{"Name": 'Zürich, "HQ"'}])

    result = accounts(tmp_path).execute({})

    assert result["records"] == len(org.rows("Account"))
    assert org.logins == 1


# [END success]


# [START faults]
def test_a_broken_download_is_fetched_again(salesforce_jwt_connection: SimulatedOrg, tmp_path: Path) -> None:
    org = salesforce_jwt_connection
    org.add_fault(Fault(method="GET", path="*/results*", cut_at=0.5))

    result = accounts(tmp_path).execute({})

    assert result["records"] == len(org.rows("Account"))


def test_an_expired_session_is_renewed(salesforce_jwt_connection: SimulatedOrg, tmp_path: Path) -> None:
    org = salesforce_jwt_connection
    org.add_fault(Fault(method="GET", path="*/results*", expire_session=True))

    accounts(tmp_path).execute({})

    assert org.logins == 2


def test_a_refused_sign_in_names_the_setting(salesforce_jwt_connection: SimulatedOrg, tmp_path: Path) -> None:
    salesforce_jwt_connection.approve(False)

    with pytest.raises(AirflowFailException, match="Policies"):
        accounts(tmp_path).execute({})


# [END faults]


# [START deferrable]
def test_a_deferrable_task_waits_in_the_triggerer(salesforce_jwt_connection: SimulatedOrg, tmp_path: Path) -> None:
    operator = SalesforceExtractOperator(
        task_id="accounts", sobject="Account", output_path=f"file://{tmp_path}/accounts", deferrable=True
    )
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({})

    event = asyncio.run(anext(deferred.value.trigger.run()))
    result = getattr(operator, deferred.value.method_name)({}, event=event.payload)

    assert result["records"] == len(salesforce_jwt_connection.rows("Account"))


# [END deferrable]
