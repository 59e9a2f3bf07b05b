"""Which address may be an org's, and when two URLs have one origin."""

from __future__ import annotations

import pytest

from airflow_provider_sfjwt.salesforce.auth.instance import (
    SALESFORCE_DOMAINS,
    instance_origin,
    origin_of,
    path_at,
    read_domains,
)

LOGIN = "https://login.salesforce.com"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://acme.my.salesforce.com", "https://acme.my.salesforce.com"),
        ("HTTPS://ACME.my.Salesforce.com:443/x?y#z", "https://acme.my.salesforce.com"),
        ("https://acme.my.salesforce.com./", "https://acme.my.salesforce.com"),
        ("https://acme.my.salesforce.com:8443", "https://acme.my.salesforce.com:8443"),
        ("https://acme.my.salesforce.com:", "https://acme.my.salesforce.com"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("https://[::1]:8443/", "https://[::1]:8443"),
    ],
)
def test_an_origin_is_compared_in_one_spelling(url: str, origin: str) -> None:
    assert origin_of(url) == origin


NO_ORIGIN = [
    "",
    "acme.my.salesforce.com",
    "//acme.my.salesforce.com",
    "ftp://acme.my.salesforce.com",
    "https://",
    "https://user@acme.my.salesforce.com",
    "https://a:b@acme.my.salesforce.com",
    "https://acme.my.salesforce.com@evil.com",
    "https://acme.my.salesforce.com:0",
    "https://acme.my.salesforce.com:99999",
    "https://acme.my.salesforce.com:x",
    "https://[acme",
    "https://acme.my.salesforce.com\\@evil.com",
    "https:\\\\evil.com",
    "https://acme..salesforce.com",
    "https://-.salesforce.com",
    "https://acme.my.salesforce.com\t",
    "https://acme.my.salesforce.com\n.evil.com",
    "https://acme .salesforce.com",
    "https://acme%2emy.salesforce.com",
    "https://acme.my.\u0455alesforce.com",
    "https://evil.com\u2044.salesforce.com",
    "https://\uff41cme.salesforce.com",
    f"https://{'a' * 64}.salesforce.com",
]


@pytest.mark.parametrize("url", NO_ORIGIN)
def test_what_programs_read_differently_has_no_origin(url: str) -> None:
    assert origin_of(url) is None
    with pytest.raises(ValueError, match="is not the address of an org"):
        instance_origin(url, LOGIN, ())


@pytest.mark.parametrize("domain", SALESFORCE_DOMAINS)
def test_every_domain_of_salesforce_s_is_taken(domain: str) -> None:
    assert instance_origin(f"https://acme.my.{domain}/", LOGIN, ()) == f"https://acme.my.{domain}"
    for other in (f"https://acme.my.{domain}.evil.com", f"https://acme-{domain}", f"https://x{domain}"):
        with pytest.raises(ValueError, match="is not a host of Salesforce's or of Login URL"):
            instance_origin(other, LOGIN, ())


@pytest.mark.parametrize(
    ("answered", "login_url", "domains"),
    [
        ("https://portal.acme.com", "https://portal.acme.com/customers", ()),
        ("https://api.portal.acme.com:8443", "https://portal.acme.com", ()),
        ("https://sf.acme.com", LOGIN, ("acme.com",)),
        ("https://acme.com", LOGIN, ("acme.com",)),
        ("http://127.0.0.1:8765", "http://localhost:1", ()),
        ("http://localhost:8765", "https://127.0.0.1:1", ()),
        ("http://[::1]:8765", "http://127.0.0.1:1", ()),
        ("http://localhost:8765", LOGIN, ("localhost",)),
    ],
)
def test_the_login_url_s_own_host_and_the_connection_s_list_are_taken(
    answered: str, login_url: str, domains: tuple[str, ...]
) -> None:
    assert instance_origin(answered, login_url, domains) == answered


@pytest.mark.parametrize(
    ("answered", "login_url", "fault"),
    [
        ("http://acme.my.salesforce.com", LOGIN, "is an http:// address"),
        ("http://127.0.0.1:8765", LOGIN, "is not a host"),
        ("https://acme.com", "https://portal.acme.com", "is not a host"),
        ("https://evil.com", "http://127.0.0.1:1", "is not a host"),
        ("https://127.0.0.1.evil.com", "http://127.0.0.1:1", "is not a host"),
        ("https://xn--alesforce-k3h.com", LOGIN, "is not a host"),
        ("https://acme.my.salesforce.com/path", LOGIN, "is not the address of an org"),
        ("https://acme.my.salesforce.com?x", LOGIN, "is not the address of an org"),
        ("https://acme.my.salesforce.com#", LOGIN, "is not the address of an org"),
    ],
)
def test_any_other_address_is_refused_with_the_reason(answered: str, login_url: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault) as caught:
        instance_origin(answered, login_url, ())
    assert answered in str(caught.value)


def test_a_refusal_shows_no_user_and_is_bounded() -> None:
    with pytest.raises(ValueError, match="'evil.com/'") as caught:
        instance_origin("https://user:s3cr3t@evil.com/", LOGIN, ())
    assert "s3cr3t" not in str(caught.value)
    with pytest.raises(ValueError, match="is not the address") as caught:
        instance_origin("https://" + "x" * 3_000_000, LOGIN, ())
    assert len(str(caught.value)) < 300
    with pytest.raises(ValueError, match="'int' is not the address"):
        instance_origin(5, LOGIN, ())


def test_a_path_is_one_of_the_origin_alone() -> None:
    assert path_at("https://acme.my.salesforce.com", "https://ACME.my.salesforce.com:443/x?y=z#a") == "/x?y=z"
    assert path_at("https://acme.my.salesforce.com", "https://acme.my.salesforce.com") == "/"
    assert path_at("https://acme.my.salesforce.com", "https://acme.my.salesforce.com:8443/x") is None
    assert path_at("https://acme.my.salesforce.com", "https://user@acme.my.salesforce.com/x") is None


@pytest.mark.parametrize(
    ("entered", "domains"),
    [
        ("", ()),
        ("acme.com", ("acme.com",)),
        (" *.Acme.com, .acme.org;acme.com ", ("acme.com", "acme.org")),
        ("localhost 127.0.0.1", ("localhost", "127.0.0.1")),
    ],
)
def test_domains_are_read_as_people_enter_them(entered: str, domains: tuple[str, ...]) -> None:
    assert read_domains(entered) == domains


@pytest.mark.parametrize("entered", ["*", "com", "https://acme.com", "acme.com/x", "ac me..com", "\u00fcmlaut.com"])
def test_what_is_not_a_domain_is_refused(entered: str) -> None:
    with pytest.raises(ValueError, match="is not a domain; enter e.g. salesforce.acme.com"):
        read_domains(entered)
