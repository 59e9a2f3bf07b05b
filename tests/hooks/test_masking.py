"""What Airflow's masker is told: the log of a task shows neither the key nor any line of it, nor the token."""

from __future__ import annotations

import json
import threading

import pytest
from airflow.models import Connection as MetastoreConnection
from airflow.sdk.log import redact

from airflow_provider_sfjwt.compat import has_trigger_on_kill
from airflow_provider_sfjwt.hooks.connections import connection_settings
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.salesforce.wire.secret import Secret
from airflow_provider_sfjwt.testing import SimulatedOrg


def shown(text: str) -> str:
    return str(redact(text))


@pytest.fixture
def key_lines(org: SimulatedOrg) -> list[str]:
    return [line for line in org.private_key.splitlines() if "-----" not in line]


def test_the_key_each_of_its_lines_and_the_token_are_masked(org: SimulatedOrg, key_lines: list[str]) -> None:
    hook = SalesforceJwtHook()
    with hook.connect() as connected:
        token = connected.token().value
    for secret in (org.private_key, repr(org.private_key), json.dumps(org.private_key), "".join(key_lines), *key_lines):
        assert not any(line in shown(f"logged: {secret}") for line in key_lines)
    assert token not in shown(f"Bearer {token}")


async def test_on_an_event_loop_the_token_is_masked_beside_it(
    org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk import log

    told, mask = [], log.mask_secret

    def noted(secret: object, name: str | None = None) -> None:
        told.append((threading.get_ident(), str(secret)))
        mask(secret, name)  # type: ignore[arg-type]

    monkeypatch.setattr(log, "mask_secret", noted)
    async with SalesforceJwtHook().aconnect() as connected:
        versions = await connected.run(lambda session: session.json("GET", "/services/data/"))
        assert versions
        token = connected.transport.renewal.alive(None).value
    assert token not in shown(f"Bearer {token}")
    (thread,) = [thread for thread, secret in told if token in secret]
    assert (thread != threading.get_ident()) == has_trigger_on_kill()


def test_it_holds_for_the_connections_of_a_local_file_backend(org: SimulatedOrg, key_lines: list[str]) -> None:
    content = json.loads(org.connection_json())
    extra = json.dumps(content["extra"] | {"consumer_secret": "very-secret-value"})
    connection = MetastoreConnection(
        conn_id="from_a_file", conn_type="salesforce_jwt", login=content["login"], host=content["host"], extra=extra
    )
    connection_settings(Secret(connection), "from_a_file")
    assert not any(line in shown(f"logged: {line}") for line in key_lines)
    assert "very-secret-value" not in shown("very-secret-value")
