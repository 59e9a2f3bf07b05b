from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from airflow_provider_sfjwt.testing import Fault, SimulatedOrg


def test_stop_and_start_again_on_the_same_port(org, api):
    url = org.url
    org.stop()
    with pytest.raises(requests.exceptions.ConnectionError):
        api.get("limits")
    org.start()
    assert org.url == url
    assert api.get("limits").status_code == 200
    with pytest.raises(RuntimeError):
        org.start()


def test_tls_is_verified_against_the_bundle_under_both_names():
    with SimulatedOrg(tls=True, records={}) as org:
        for url in (org.url, org.url.replace("127.0.0.1", "localhost")):
            assert requests.get(f"{url}/services/data", verify=org.ca_bundle, timeout=30).status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{org.url}/services/data", verify=True, timeout=30)
        assert json.loads(org.connection_json())["extra"]["ca_bundle"] == org.ca_bundle


def test_many_clients_at_once(org):
    headers = {"Authorization": f"Bearer {org.issue_session()}"}
    together = threading.Barrier(64)

    def ask(_: int) -> int:
        together.wait(60)
        return requests.get(f"{org.url}/services/data/v66.0/limits", headers=headers, timeout=60).status_code

    with ThreadPoolExecutor(64) as pool:
        assert set(pool.map(ask, range(64))) == {200}
    assert org.api_calls == 64


def test_faults_over_tls():
    with SimulatedOrg(tls=True, records={}) as org:
        url = f"{org.url}/services/data"
        org.add_fault(Fault(reset=True))
        with pytest.raises(requests.exceptions.ConnectionError):
            requests.get(url, verify=org.ca_bundle, timeout=30)
        org.add_fault(Fault(cut_at=0.5))
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            requests.get(url, verify=org.ca_bundle, timeout=30)
        assert requests.get(url, verify=org.ca_bundle, timeout=30).status_code == 200
