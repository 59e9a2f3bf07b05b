"""What a user of the fixtures writes. A test copies this file into a project of its own and runs it there."""

# [START success]
import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.operators.load import SalesforceLoadOperator
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from airflow_provider_sfjwt.transfers.sql import SalesforceToSqlOperator


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


# [START load]
def test_a_load_and_what_becomes_of_a_row_that_is_refused(
    salesforce_jwt_connection: SimulatedOrg, tmp_path: Path
) -> None:
    org = salesforce_jwt_connection
    org.add_validation_rule("Contact", lambda contact: contact["Phone"] is None, "Phone, please.")
    org.lock_records("Contact", {"LastName": "Ada"}, times=1)  # fails once, and passes when it is sent again
    load = SalesforceLoadOperator(
        task_id="contacts",
        operation="insert",
        sobject="Contact",
        source=[{"LastName": "Ada", "Phone": "1"}, {"LastName": "Bob", "Phone": None}],
        max_failed_records=1,
        results_path=f"file://{tmp_path}/results",
    )

    counts = load.execute({})["counts"]

    assert (counts["succeeded"], counts["failed"]) == (1, 1)
    assert "Ada" in [contact["LastName"] for contact in org.rows("Contact")]
    (failed,) = (tmp_path / "results").glob("failed-*")
    assert "FIELD_CUSTOM_VALIDATION_EXCEPTION" in failed.read_text(encoding="utf-8")


def test_values_that_salesforce_cannot_take_are_never_sent(salesforce_jwt_connection: SimulatedOrg) -> None:
    rows = [{"LastName": "Ada", "Birthdate": "31.12.1815"}]
    load = SalesforceLoadOperator(task_id="contacts", operation="insert", sobject="Contact", source=rows)

    with pytest.raises(AirflowFailException, match="row 1, column Birthdate"):
        load.execute({})

    assert salesforce_jwt_connection.jobs == {}


# [END load]


# [START merge]
def test_an_extract_is_merged_into_a_table(
    salesforce_jwt_connection: SimulatedOrg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = {"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(warehouse))
    merge = SalesforceToSqlOperator(
        task_id="merge", source=f"file://{tmp_path}/accounts", sql_conn_id="warehouse", table="account"
    )
    org = salesforce_jwt_connection
    first = org.rows("Account")[0]["Id"]

    accounts(tmp_path).execute({})
    merge.execute({})
    org.update("Account", first, {"Name": "changed"})
    accounts(tmp_path).execute({})  # the next run's extract
    merge.execute({})
    merge.execute({})  # again: the receipt has been merged, so nothing is done

    with closing(sqlite3.connect(warehouse["host"])) as database:
        names = dict(database.execute('SELECT "Id", "Name" FROM account'))
    assert len(names) == len(org.rows("Account"))
    assert names[first] == "changed"


# [END merge]
