from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.local_airflow.stack import LocalAirflow

pytestmark = pytest.mark.browser
pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page  # noqa: E402

from tests.system.connections_page import (  # noqa: E402
    Form,
    add_connection,
    browser,
    edit_connection,
    press_test_button,
)


@pytest.fixture
def page(airflow: LocalAirflow, chromium: str) -> Iterator[Page]:
    with browser(chromium, airflow.url) as shown:
        yield shown


def picture(name: str) -> Path | None:
    """The file for a picture that the documentation shows, where pictures are asked for."""
    folder = os.environ.get("SFJWT_SCREENSHOTS")
    return Path(folder) / name if folder else None


def filled(org: SimulatedOrg, conn_id: str, **changes: str) -> Form:
    """The form as somebody fills it in who has an app in the org."""
    values = {
        "consumer_key": org.consumer_key,
        "private_key": org.private_key,
        **changes,
    }
    return Form(
        conn_id,
        # A port, since the Test button of Airflow 3.3.2 refuses a connection without one.
        standard={"host": org.url, "login": org.username, "port": org.url.rpartition(":")[2]},
        sections={
            "Salesforce app": {"consumer_key": values["consumer_key"]},
            "Private key": {"private_key": values["private_key"]},
        },
    )


def stored(airflow: LocalAirflow, conn_id: str) -> dict[str, Any]:
    """What the metadata database holds of a connection, decrypted: Airflow's command line takes seconds to tell it."""
    with closing(sqlite3.connect(airflow.home.database, timeout=60)) as database:
        question = "SELECT conn_type, login, host, extra, is_extra_encrypted FROM connection WHERE conn_id = ?"
        [(conn_type, login, host, extra, encrypted)] = database.execute(question, (conn_id,)).fetchall()
    assert encrypted, "the extra holds the key"
    clear = Fernet(airflow.home.fernet_key).decrypt(extra.encode())
    return {"conn_type": conn_type, "login": login, "host": host, "extra": json.loads(clear)}


def test_a_connection_made_in_the_form_runs_a_dag(airflow: LocalAirflow, org: SimulatedOrg, page: Page) -> None:
    assert org.private_key.count("\n") == 28
    folder = os.environ.get("SFJWT_SCREENSHOTS")
    add_connection(page, filled(org, "made_in_the_form"), Path(folder) if folder else None)

    connection = stored(airflow, "made_in_the_form")
    assert connection["conn_type"] == "salesforce_jwt"
    assert connection["extra"]["private_key"].encode() == org.private_key.encode()
    assert (connection["login"], connection["host"]) == (org.username, org.url)

    shown = press_test_button(page, "made_in_the_form", picture("test_button_good.png"))
    assert "Test Connection Successful" in shown
    assert org.username in shown and org.url in shown

    run_id = airflow.trigger("any_connection", conf={"conn_id": "made_in_the_form"})
    airflow.wait_for_run("any_connection", run_id=run_id)
    assert airflow.xcom("any_connection", run_id, "extract")["records"] == len(org.rows("Account"))


def test_an_edit_leaves_the_key_as_it_is(airflow: LocalAirflow, org: SimulatedOrg, page: Page) -> None:
    add_connection(page, filled(org, "edited_later"))
    edit_connection(page, "edited_later", {"login": "somebody.else@example.com"})
    assert stored(airflow, "edited_later")["login"] == "somebody.else@example.com"
    edit_connection(page, "edited_later", {"login": org.username})
    connection = stored(airflow, "edited_later")
    assert connection["extra"]["private_key"].encode() == org.private_key.encode()
    assert connection["extra"]["consumer_key"] == org.consumer_key
    assert "Test Connection Successful" in press_test_button(page, "edited_later")


def test_the_test_button_says_what_to_change(airflow: LocalAirflow, org: SimulatedOrg, page: Page) -> None:
    add_connection(page, filled(org, "wrong_consumer_key", consumer_key="3MVG9.unknown"))
    shown = press_test_button(page, "wrong_consumer_key", picture("test_button_bad.png"))
    assert "Test Connection Failed" in shown
    assert "client identifier invalid" in shown
    assert "Consumer key" in shown or "consumer key" in shown


def test_the_test_button_names_the_field_of_a_broken_key(airflow: LocalAirflow, org: SimulatedOrg, page: Page) -> None:
    lines = org.private_key.splitlines()
    add_connection(page, filled(org, "broken_key", private_key="\n".join(lines[:9])))
    shown = press_test_button(page, "broken_key")
    assert "Test Connection Failed" in shown
    assert "Private key" in shown
    assert not any(line in shown for line in lines[1:9])
