"""What people enter as the login URL, and the audience that goes with it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sfjwt.salesforce.auth.login_url import default_audience, is_loopback, normalise_login_url

LOGIN, TEST = "https://login.salesforce.com", "https://test.salesforce.com"
MY_DOMAIN, SANDBOX = "https://acme.my.salesforce.com", "https://acme--dev.sandbox.my.salesforce.com"
SITE = "https://acme.my.site.com/customers"


@pytest.mark.parametrize(
    ("entered", "port", "understood"),
    [
        (LOGIN, None, LOGIN),
        ("login.salesforce.com", None, LOGIN),
        (" https://LOGIN.salesforce.com/ \n", None, LOGIN),
        ('"https://test.salesforce.com"', None, TEST),
        (f"{MY_DOMAIN}/services/oauth2/token", None, MY_DOMAIN),
        (f"{MY_DOMAIN}//services/oauth2/token/", None, MY_DOMAIN),
        ("acme--dev.sandbox.my.salesforce.com", None, SANDBOX),
        (SITE, None, SITE),
        (f"{SITE}/", None, SITE),
        (f"{SITE}/services/oauth2/token", None, SITE),
        (f"{LOGIN}?startURL=%2Fhome#top", None, LOGIN),
        (LOGIN, 443, LOGIN),
        (LOGIN, 0, LOGIN),
        (LOGIN, 8443, f"{LOGIN}:8443"),
        (f"{LOGIN}:9443", 8443, f"{LOGIN}:9443"),
        (f"{LOGIN}:443", 8443, LOGIN),
        ("http://127.0.0.1:8765", None, "http://127.0.0.1:8765"),
        ("http://localhost", 80, "http://localhost"),
        ("http://localhost", 443, "http://localhost:443"),
        ("http://org.localhost:8765/", None, "http://org.localhost:8765"),
        ("http://[::1]:8765", None, "http://[::1]:8765"),
        ("[2001:db8::1]", 8443, "https://[2001:db8::1]:8443"),
    ],
)
def test_a_login_url_is_understood(entered: str, port: int | None, understood: str) -> None:
    assert normalise_login_url(entered, port) == understood


@pytest.mark.parametrize(
    ("entered", "told"),
    [
        ("https://", "is not a URL"),
        ("my org", "is not a URL"),
        ("login.salesforce.com/my site", "is not a URL"),
        ("https://[::1", "is not a URL"),
        (f"{LOGIN}:none", "port between 1 and 65535"),
        (f"{LOGIN}:70000", "port between 1 and 65535"),
        ("https://user:secret@login.salesforce.com", "user name or password"),
        ("https://user@login.salesforce.com", "user name or password"),
        ("ftp://login.salesforce.com", "ftp://"),
        ("http://login.salesforce.com", "this machine only"),
        ("http://127.0.0.1.example.com", "this machine only"),
        ("https://acme.lightning.force.com/lightning/page/home", "Salesforce's UI"),
        ("https://acme--c.vf.force.com", "Salesforce's UI"),
        ("https://acme--uat--c.sandbox.vf.force.com", "https://acme--uat.sandbox.my.salesforce.com"),
        ("https://acme--c.sandbox.vf.force.com", "enter your My Domain"),
        ("https://acme.my.salesforce-setup.com/lightning/setup", "Salesforce's UI"),
        (f"{LOGIN}/services/data/v66.0", "not a login address"),
        (f"{LOGIN}/services/oauth2/authorize", "not a login address"),
    ],
)
def test_a_login_url_that_cannot_work_is_refused_with_what_to_enter(entered: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        normalise_login_url(entered)
    assert "secret" not in str(caught.value)


@given(st.text(max_size=60) | st.text(alphabet="htps:/.@[]?#a1 -é%'", max_size=30), st.none() | st.integers(0, 65535))
def test_any_text_is_understood_or_refused(entered: str, port: int | None) -> None:
    try:
        understood = normalise_login_url(entered, port)
    except ValueError:
        return
    assert understood.startswith(("https://", "http://"))
    assert not understood.endswith("/")


@pytest.mark.parametrize(
    ("login_url", "audience"),
    [
        (LOGIN, LOGIN),
        (MY_DOMAIN, LOGIN),
        ("https://acme.develop.my.salesforce.com", LOGIN),
        ("https://eu6.salesforce.com", LOGIN),
        ("https://acme.my.salesforce.mil", LOGIN),
        ("http://127.0.0.1:8765", LOGIN),
        ("http://localhost:8765", LOGIN),
        (TEST, TEST),
        (SANDBOX, TEST),
        ("https://acme--dev.my.salesforce.com", TEST),
        ("https://acme--dev.cs1.my.salesforce.com:8443", TEST),
        (SITE, SITE),
        ("https://acme.my.site.com", "https://acme.my.site.com"),
        ("https://acme.force.com/customers", "https://acme.force.com/customers"),
        ("https://acme--dev.sandbox.my.site.com/customers", "https://acme--dev.sandbox.my.site.com/customers"),
        ("https://customers.acme.com", "https://customers.acme.com"),
        ("http://127.0.0.1:8765/customers", "http://127.0.0.1:8765/customers"),
    ],
)
def test_the_audience_follows_from_the_login_url(login_url: str, audience: str) -> None:
    assert default_audience(login_url) == audience


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
        ("notlocalhost", False),
        ("localhost.example.com", False),
        ("", False),
    ],
)
def test_this_machine_is_told_from_others(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
