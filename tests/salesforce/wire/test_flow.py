"""What a request is before it is carried."""

from __future__ import annotations

import pytest

from airflow_provider_sfjwt.salesforce.wire.flow import Request


def test_a_request_has_no_headers_unless_it_is_given_some() -> None:
    headers = Request("GET", "https://acme.my.salesforce.com").headers

    assert (dict(headers), len(headers)) == ({}, 0)
    with pytest.raises(KeyError):
        headers["authorization"]
