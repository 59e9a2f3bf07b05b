"""An org as an Airflow connection."""

from __future__ import annotations

import json
from collections.abc import Mapping

from airflow_provider_sfjwt.testing.identity import Address, Identity


def connection_json(identity: Identity, address: Address, ca_bundle: str | None, extra: Mapping[str, object]) -> str:
    """Return the connection as the JSON text of ``AIRFLOW_CONN_<ID>``.

    :param ca_bundle: path of the authority's certificate; None: the org serves http.
    :param extra: further fields of the connection's extra; they win over those made here.
    """
    fields: dict[str, object] = {"consumer_key": identity.consumer_key, "private_key": identity.private_key}
    if identity.sandbox:
        fields["audience"] = identity.login_url
    if ca_bundle:
        fields["ca_bundle"] = ca_bundle
    connection = {
        "conn_type": "salesforce_jwt",
        "login": identity.username,
        "host": address.url,
        # The address has it already, but the Test button of Airflow 3.3.2 refuses a connection without one.
        "port": address.port,
        "extra": {**fields, **extra},
    }
    return json.dumps(connection)
