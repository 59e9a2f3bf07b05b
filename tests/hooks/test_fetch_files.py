"""Bodies of files come over REST one by one, as bytes; extracts and results of tasks refuse them by name."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.operators.rest import SalesforceRestOperator
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.hooks.fetch_files import save_attachments

BODY = b"\x00\xff{not text\r\n"


@pytest.fixture
def attachment(org: SimulatedOrg) -> tuple[str, str]:
    account = org.rows("Account")[0]["Id"]
    row = {"Name": "scan.bin", "ParentId": account, "Body": base64.b64encode(BODY).decode()}
    return account, org.insert("Attachment", [row])[0]


def test_the_recipe_saves_each_file_byte_for_byte(tmp_path: Path, attachment: tuple[str, str]) -> None:
    save_attachments(attachment[0], tmp_path)
    assert (tmp_path / attachment[1]).read_bytes() == BODY


@pytest.mark.parametrize("transport", ["auto", "bulk", "rest"])
def test_an_extract_of_a_body_names_the_way(org: SimulatedOrg, tmp_path: Path, transport: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"fetch each file with hook.request\('GET', 'sobjects/Attachment/<Id>/Body'\)"
    ):
        SalesforceJwtHook().extract(
            sobject="Attachment", fields=["Id", "Body"], output_path=f"file://{tmp_path}", transport=transport
        )


def test_an_extract_of_all_fields_leaves_the_body_out(tmp_path: Path, attachment: tuple[str, str]) -> None:
    receipt = SalesforceJwtHook().extract(sobject="Attachment", output_path=f"file://{tmp_path}", file_format="csv")
    assert receipt.records == 1
    assert "Body" not in {column["name"] for column in receipt.columns}


def test_a_file_is_not_the_result_of_a_task(attachment: tuple[str, str]) -> None:
    path = f"sobjects/Attachment/{attachment[1]}/Body"
    with pytest.raises(AirflowFailException, match="path: answers with a file"):
        SalesforceRestOperator(task_id="file", path=path).execute({})
    assert SalesforceRestOperator(task_id="file", path=path, response_filter=len).execute({}) == len(BODY)
