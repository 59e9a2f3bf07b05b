"""What the page about secrets backends warns of, so that it stays true."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from airflow.sdk import BaseHook, configuration
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import redact  # type: ignore[attr-defined]

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.backends import documented
from tests.backends.conftest import Vault

URI = "secret: uri"


@pytest.fixture(autouse=True)
def _no_backend_of_another_test() -> Iterator[None]:
    """Airflow builds the backends once per process, and some of its versions have no way to forget them."""
    forget = getattr(configuration, "clear_secrets_backends_cache", lambda: None)
    forget()
    yield
    forget()


@pytest.fixture
def in_vault(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> Vault:
    """The vault, as this process's secrets backend."""
    for name, value in vault.env.items():
        monkeypatch.setenv(name, value)
    return vault


def in_file(path: Path, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a file this process's secrets backend."""
    path.write_text(content, encoding="utf-8")
    mark = f"settings: local file {path.suffix[1:]}"
    for name, value in documented.with_file(documented.settings(mark), path).items():
        monkeypatch.setenv(name, value)


def test_flat_json_at_aws_loses_every_extra(in_vault: Vault) -> None:
    flat = {"conn_type": "salesforce_jwt", "login": "a@acme.com", "consumer_key": "3MVG9", "private_key": "key"}
    in_vault.store("salesforce_flat", json.dumps(flat))
    with pytest.raises(ConfigurationError) as raised:
        _ = SalesforceJwtHook("salesforce_flat").settings
    assert set(raised.value.fields) == {"Consumer key", "Private key"}


def test_a_row_with_the_extras_as_text_keeps_them(in_vault: Vault, org_json: dict[str, object]) -> None:
    in_vault.store("salesforce_rows", json.dumps(org_json | {"extra": json.dumps(org_json["extra"])}))
    assert SalesforceJwtHook("salesforce_rows").settings.credentials.username == org_json["login"]


def test_a_row_named_key_is_taken_for_the_passphrase(in_vault: Vault, org_json: dict[str, object]) -> None:
    in_vault.store("salesforce_synonym", json.dumps(org_json | {"key": "something"}))
    assert BaseHook.get_connection("salesforce_synonym").password == "something"


def test_ids_that_the_pattern_leaves_out_are_not_asked_for(in_vault: Vault) -> None:
    in_vault.store("other", json.dumps({"conn_type": "salesforce_jwt"}))
    with pytest.raises(AirflowNotFoundException):
        BaseHook.get_connection("other")


@pytest.mark.parametrize(
    "content", ["not: [closed", "salesforce_x:\n  conn_type: salesforce_jwt\n  consumer_key: 3MVG9\n"]
)
def test_a_file_that_cannot_be_read_says_that_the_connection_is_not_defined(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_file(tmp_path / "connections.yaml", content, monkeypatch)
    with pytest.raises(AirflowNotFoundException, match="salesforce_x` isn't defined"):
        BaseHook.get_connection("salesforce_x")


def test_the_backend_comes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_X", json.dumps({"conn_type": "salesforce_jwt", "login": "environment"}))
    assert BaseHook.get_connection("salesforce_x").login == "environment"
    in_file(
        tmp_path / "connections.json", '{"salesforce_x": {"conn_type": "salesforce_jwt", "login": "file"}}', monkeypatch
    )
    assert BaseHook.get_connection("salesforce_x").login == "file"


def test_a_uri_makes_every_extra_a_text(org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = documented.variable("salesforce_x", documented.filled(URI, "salesforce_x", documented_values(org)))
    monkeypatch.setenv(
        "AIRFLOW_CONN_SALESFORCE_X", variable["AIRFLOW_CONN_SALESFORCE_X"] + "&http_timeout=30&api_version=66.0"
    )
    extras = BaseHook.get_connection("salesforce_x").extra_dejson
    assert (extras["http_timeout"], extras["api_version"]) == ("30", "66.0")
    settings = SalesforceJwtHook("salesforce_x").settings
    assert (settings.transport.timeout, settings.api_version) == (30, "66.0")


@pytest.mark.parametrize("safe", ["", "/"])
def test_a_uri_that_a_task_logs_shows_no_line_of_the_key(
    org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch, safe: str
) -> None:
    variable = documented.variable("salesforce_x", documented.filled(URI, "salesforce_x", documented_values(org)))
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    _ = SalesforceJwtHook("salesforce_x").settings
    shown = redact(f"{BaseHook.get_connection('salesforce_x').get_uri()} {quote(org.private_key, safe=safe)}")
    shown = f"{shown} {redact(str(dict(os.environ)))}"
    lines = [line for line in org.private_key.splitlines() if "-----" not in line]
    assert [line for line in lines for form in (line, quote(line, safe=safe)) if form in shown] == []


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch) -> SimulatedOrg:
    """An org that is asked for nothing but its values."""
    return SimulatedOrg(records={})


@pytest.fixture
def org_json(org: SimulatedOrg) -> dict[str, object]:
    values: dict[str, object] = json.loads(documented.filled("secret: json", "x", documented_values(org)))
    return {name: value for name, value in values.items() if name != "password"}


def documented_values(org: SimulatedOrg) -> dict[str, str]:
    return {
        documented.EXAMPLE_KEY: org.private_key,
        documented.EXAMPLE_ENCRYPTED_KEY: org.private_key,
        "airflow@acme.com": org.username,
        "https://acme.my.salesforce.com": "http://127.0.0.1:9",
        "3MVG9...": org.consumer_key,
        "the passphrase of the key": "-",
    }
