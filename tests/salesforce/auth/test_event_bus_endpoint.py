from __future__ import annotations

import pytest

from airflow_provider_sfjwt.salesforce.auth.event_bus_endpoint import is_government, is_on_this_machine, read_endpoint


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        (None, "api.pubsub.salesforce.com:7443"),
        ("Global", "api.pubsub.salesforce.com:7443"),
        ("deu", "api.deu.pubsub.salesforce.com:7443"),
        ("127.0.0.1:7443", "127.0.0.1:7443"),
    ],
)
def test_endpoints_by_their_names(text: str | None, endpoint: str) -> None:
    assert read_endpoint(text) == endpoint
    assert is_on_this_machine(endpoint) is endpoint.startswith("127")


@pytest.mark.parametrize("text", ["api.pubsub.salesforce.com:7443", "evil.com:7443", "127.0.0.1.evil.com:1", "eu"])
def test_any_other_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an endpoint of the event bus; enter global or deu"):
        read_endpoint(text)


def test_government_clouds() -> None:
    assert is_government("https://acme.my.salesforce.mil")
    assert not is_government("https://acme.my.salesforce.com")
    assert not is_government("nothing")
