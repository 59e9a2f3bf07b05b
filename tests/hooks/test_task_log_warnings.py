"""What a task's log warns of: a certificate that ends, a key that had to be repaired; once in a process."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_sfjwt.hooks import connections as connection_settings_module
from airflow_provider_sfjwt.hooks.connections import connection_settings
from airflow_provider_sfjwt.salesforce.auth.key_pair import make_key_pair
from airflow_provider_sfjwt.salesforce.wire.secret import Secret
from airflow_provider_sfjwt.testing import SimulatedOrg


class TestTheTasksLog:
    @pytest.fixture(autouse=True)
    def _fresh(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, empty in (("_parsed", {}), ("_warned", set())):
            monkeypatch.setattr(connection_settings_module, name, empty)

    def warnings(self, org: SimulatedOrg, caplog: pytest.LogCaptureFixture, **extra: Any) -> list[str]:
        from airflow.sdk import Connection

        content = json.loads(org.connection_json(**extra))
        with caplog.at_level(logging.WARNING):
            for _ in range(2):
                fields = content | {"extra": json.dumps(content["extra"])}
                connection_settings(Secret(Connection(conn_id="sf", **fields)), "sf")
                connection_settings_module._parsed.clear()
        return [record.getMessage() for record in caplog.records if record.name == connection_settings_module.__name__]

    def test_warns_once_of_a_certificate_that_ends(self, org: SimulatedOrg, caplog: pytest.LogCaptureFixture) -> None:
        own = make_key_pair(now=datetime.now(timezone.utc) - timedelta(days=350))
        (said,) = self.warnings(org, caplog, certificate=own.certificate)
        assert f"Connection 'sf': the certificate ends on {own.not_after:%Y-%m-%d}, in 14 days." in said
        assert "airflow-salesforce-jwt keygen" in said

    def test_warns_of_one_that_is_none(self, org: SimulatedOrg, caplog: pytest.LogCaptureFixture) -> None:
        (said,) = self.warnings(org, caplog, certificate="none")
        assert said.startswith("Connection 'sf': Certificate: this is not a certificate")

    def test_warns_once_of_a_repaired_key(self, org: SimulatedOrg, caplog: pytest.LogCaptureFixture) -> None:
        (said,) = self.warnings(org, caplog, private_key=org.private_key.replace("\n", "\\n"))
        assert "escape sequences stood for characters" in said
        assert not any(line in said for line in org.private_key.splitlines()[1:-1])

    def test_is_silent_about_a_good_one(self, org: SimulatedOrg, caplog: pytest.LogCaptureFixture) -> None:
        assert self.warnings(org, caplog, certificate=org.certificate) == []
