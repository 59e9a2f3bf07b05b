"""What people reported about the fields of a connection, kinds S3, S7 to S10, U8 and U11."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography import x509

from airflow_provider_sfjwt.doctor.official_connection import convert
from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.salesforce.auth.certificates import read_certificate
from airflow_provider_sfjwt.salesforce.auth.credentials import connection_secrets
from airflow_provider_sfjwt.salesforce.auth.key_pair import KeyPair, make_key_pair
from airflow_provider_sfjwt.salesforce.auth.login_url import default_audience, normalise_login_url
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.reports.signing_in.connections import DOCS, LOGIN, TEST, TOKEN, findings, hook_for, read, text

# -- S3: what becomes of an official connection ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("addresses", "login_url", "audience"),
    [
        ({"domain": "login", "instance_url": "govcloudorg.my"}, "https://govcloudorg.my.salesforce.com", LOGIN),
        (
            {"domain": "test", "instance_url": "acme--uat.sandbox.my"},
            "https://acme--uat.sandbox.my.salesforce.com",
            TEST,
        ),
        ({"instance_url": "https://acme.my.salesforce.com/"}, "https://acme.my.salesforce.com", LOGIN),
        ({"domain": "acme.my"}, "https://acme.my.salesforce.com", "https://acme.my.salesforce.com"),
        ({"domain": "test"}, TEST, TEST),
    ],
)
def test_S3_from_salesforce(addresses: dict[str, str], login_url: str, audience: str) -> None:
    extra = {"consumer_key": "3MVG9abc", "private_key": "a key"} | addresses
    fields = convert(login="u@acme.com", password=None, extra=json.dumps(extra)).fields
    assert fields["host"] == login_url
    assert fields["extra"].get("audience", default_audience(login_url)) == audience


# -- S7: Login URL -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entered", "login_url", "audience"),
    [
        ("https://x-dev-ed.scratch.my.salesforce.com", None, TEST),
        ("https://acme--uat.sandbox.my.salesforce.com", None, TEST),
        ("https://acme--uat.my.salesforce.com", None, TEST),
        ("https://power-dev-ed.cs17.my.salesforce.com", None, TEST),
        ("https://cs42.salesforce.com", None, TEST),
        ("https://acme--dev.sandbox.my.salesforce.mil", None, TEST),
        ("https://acme-dev-ed.develop.my.salesforce.com", None, LOGIN),
        ("https://acme.trailblaze.my.salesforce.com", None, LOGIN),
        ("https://acme.demo.my.salesforce.com", None, LOGIN),
        ("https://csi.my.salesforce.com", None, LOGIN),
        (
            "https://acme.my.salesforce.com/lightning/setup/SetupOneHome/home",
            "https://acme.my.salesforce.com",
            LOGIN,
        ),
        ("https://acme.my.salesforce.com/setup/forcecomHomepage.apexp", "https://acme.my.salesforce.com", LOGIN),
        ("https://acme.my.salesforce.com/home/home.jsp?x=1#y", "https://acme.my.salesforce.com", LOGIN),
        ("https://login.salesforce.com/?locale=de", LOGIN, LOGIN),
        (f"{LOGIN}/Services/OAuth2/Token", LOGIN, LOGIN),
        (f"{LOGIN}/SERVICES/OAUTH2/TOKEN/", LOGIN, LOGIN),
        ("https://acme.my.site.com/customers/services/OAuth2/token", "https://acme.my.site.com/customers", None),
        ("https://acme.my.site.com/customers/s/login/", "https://acme.my.site.com/customers", None),
        ("https://acme.my.site.com/customers/s", "https://acme.my.site.com/customers", None),
        ("https://acme.my.site.com/customers/login", "https://acme.my.site.com/customers", None),
        ("\u200bhttps://login.salesforce.com\u200b", LOGIN, LOGIN),
        ("https://lo\u200dgin.sales\u00adforce.com", LOGIN, LOGIN),
        ("\ufeff\u201chttps://login.salesforce.com\u201d ", LOGIN, LOGIN),
        ("'login.salesforce.com'", LOGIN, LOGIN),
    ],
)
def test_S7_login_url(entered: str, login_url: str | None, audience: str | None) -> None:
    understood = normalise_login_url(entered)
    assert understood == (login_url or entered)
    assert default_audience(understood) == (audience or understood)


@pytest.mark.parametrize(
    ("entered", "my_domain"),
    [
        ("https://acme.lightning.force.com/lightning/page/home", "https://acme.my.salesforce.com"),
        ("https://acme--uat.sandbox.lightning.force.com", "https://acme--uat.sandbox.my.salesforce.com"),
        ("https://acme-dev-ed.develop.lightning.force.com", "https://acme-dev-ed.develop.my.salesforce.com"),
        ("https://acme.my.salesforce-setup.com/lightning/setup", "https://acme.my.salesforce.com"),
        ("https://acme--c.vf.force.com/apex/page", "https://acme.my.salesforce.com"),
        ("https://acme--uat--c.sandbox.vf.force.com", "https://acme--uat.sandbox.my.salesforce.com"),
        ("https://acme--c.na1.visual.force.com", ""),
        ("https://acme--c.visualforce.com", ""),
        ("https://acme.documentforce.com", ""),
        ("https://acme.file.force.com", ""),
        ("https://acme--c.na1.content.force.com", ""),
        ("https://acme.builder.salesforce-experience.com", ""),
    ],
)
def test_S7_login_url_of_a_page(entered: str, my_domain: str) -> None:
    with pytest.raises(ValueError, match="is a page of Salesforce's UI; enter your My Domain") as caught:
        normalise_login_url(entered)
    assert my_domain in str(caught.value)


@pytest.mark.parametrize(
    "entered",
    [
        "https//acme.my.salesforce.com",
        "https:/acme.my.salesforce.com",
        "https://https://acme.my.salesforce.com",
        "https://acme.my.salesforce.com\\",
        "login",
        "test",
        "None",
    ],
)
def test_S7_mistyped_url(entered: str) -> None:
    with pytest.raises(ValueError, match="is not a URL; enter e.g."):
        normalise_login_url(entered)


def test_S7_a_dot_at_the_end_of_the_host() -> None:
    assert normalise_login_url("https://test.salesforce.com./") == "https://test.salesforce.com"


@pytest.mark.parametrize(
    "entered",
    [
        "https://acme..my.salesforce.com",
        f"https://{'a' * 64}.my.salesforce.com",
        "https://.my.salesforce.com",
        f"https://{'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.com",
        f"https://{'ü' * 60}.my.salesforce.com",
    ],
)
def test_S7_host_that_nobody_can_look_up(org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch, entered: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(org, host=entered)
    assert "between two dots is empty or longer than 63" in caught.value.fields["Login URL"]
    passed, sentence = hook_for(monkeypatch, text(org, host=entered)).test_connection()
    assert not passed
    assert "Login URL: is not a URL" in sentence


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_S7_redirect_of_the_token_endpoint(org: SimulatedOrg, status: int) -> None:
    location = "https://acme.my.salesforce.com/services/oauth2/token"
    org.add_fault(Fault(path=TOKEN, status=status, headers={"Location": location}, body="", times=None))
    found = findings(org)[-1]
    assert found.detail.endswith("redirects sign-ins to acme.my.salesforce.com")
    assert "Set Login URL to https://acme.my.salesforce.com" in found.sentence()


# -- S8: text fields -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "around",
    [
        "{}", "'{}'", '"{}"', "“{}”", "\u200b{}", "{}\u200b", "\ufeff{}\u00a0", " {}\n", "`{}`", "<{}>", "mailto:{}", "\u202a{}\u202c",
    ],
)  # fmt: skip
def test_S8_username(org: SimulatedOrg, around: str) -> None:
    assert read(org, login=around.format(org.username)).credentials.username == org.username


def test_S8_username_out_of_a_url(org: SimulatedOrg) -> None:
    assert read(org, login=org.username.replace("@", "%40")).credentials.username == org.username
    assert read(org, login="per%40cent@acme.com").credentials.username == "per%40cent@acme.com"


@pytest.mark.parametrize("around", ["'{}'", "\u200b{}", "“{}” ", "{}\n"])
def test_S8_other_text_fields(org: SimulatedOrg, around: str) -> None:
    extra = {"consumer_key": around.format(org.consumer_key), "audience": around.format(LOGIN)}
    settings = read(org, extra | {"api_version": around.format("66.0")})
    assert settings.credentials.consumer_key == org.consumer_key
    assert (settings.credentials.audience, settings.api_version) == (LOGIN, "66.0")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n", "\ufeff"])
@pytest.mark.parametrize("store", [False, True], ids=["PEM", "PKCS#12"])
def test_S8_passphrase_with_a_final_line_break(org: SimulatedOrg, end: str, store: bool) -> None:
    made = make_key_pair(passphrase="the passphrase")
    key = pkcs12_of(made, "the passphrase") if store else made.private_key
    for entered in (f"the passphrase{end}", "the passphrase"):
        assert read(org, {"private_key": key}, password=entered).credentials.keys
    secrets = connection_secrets(password=f"the passphrase{end}", extra={"key_passphrase": f"another one{end}"})
    assert {"the passphrase", "another one"} <= set(secrets)


def test_S8_passphrase_that_ends_in_a_line_break(org: SimulatedOrg) -> None:
    made = make_key_pair(passphrase="the passphrase\n")
    assert read(org, {"private_key": made.private_key}, password="the passphrase\n").credentials.keys
    with pytest.raises(ConfigurationError, match="does not open the private key"):
        read(org, {"private_key": made.private_key}, password="the passphrase")


def pkcs12_of(made: KeyPair, passphrase: str) -> str:
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key, pkcs12

    key = load_pem_private_key(made.private_key.encode(), passphrase.encode())
    certificate = x509.load_pem_x509_certificate(made.certificate.encode())
    encryption = BestAvailableEncryption(passphrase.encode())
    store = pkcs12.serialize_key_and_certificates(b"acme", key, certificate, None, encryption)  # type: ignore[arg-type]
    return base64.b64encode(store).decode()


# -- S9: extras that nobody reads ----------------------------------------------------------------------------------------

UNREAD = {
    "private_key_file_path": "'key_file' (Key file) is meant",
    "private_key_path": "'key_file' (Key file) is meant",
    "username": "Username (the field 'login') is meant",
    "private_key_passphrase": "Key or key-store passphrase (the field 'password') is meant",
    "domain": "Login URL (the field 'host') is meant",
    "login_url": "Login URL (the field 'host') is meant",
    "instance_url": "Login URL (the field 'host') is meant",
    "host": "Login URL (the field 'host') is meant",
    "password": "Key or key-store passphrase (the field 'password') is meant",
    "client_id": "'consumer_key' (Consumer key) is meant",
    "clientId": "'consumer_key' (Consumer key) is meant",
    "extra__salesforce_jwt__consumer_key": "'consumer_key' (Consumer key) is meant",
    "consumer-secret": "'consumer_secret' (Consumer secret) is meant",
    "aud": "'audience' (Audience) is meant",
    "version": "'api_version' (API version) is meant",
    "apiVersion": "'api_version' (API version) is meant",
    "proxies": "'proxy' (Proxy) is meant",
    "timeout": "'http_timeout' (HTTP timeout) is meant",
    "verify": "'ca_bundle' (CA bundle) is meant",
    "certifcate": "'certificate' (Certificate) is meant",
    "security_token": "signing in by key does not need it",
}


@pytest.mark.parametrize("name", UNREAD)
def test_S9_extra_that_nobody_reads(org: SimulatedOrg, name: str) -> None:
    found = findings(org, {name: "canary-value"})[0]
    assert (found.name, found.mark, found.passed) == ("fields", "warning", True)
    assert f"'{name}' is not read" in found.detail
    assert UNREAD[name] in found.detail
    assert "canary-value" not in str(found)


def test_S9_extra_that_is_meant_for_a_missing_field(org: SimulatedOrg) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(org, {"private_key": None, "private_key_file_path": "/keys/sf.pem", "username": "u@acme.com"}, login="")
    fields = caught.value.fields
    assert "(is it the extra 'username'?)" in fields["Username"]
    assert "(is it the extra 'private_key_file_path'?)" in fields["Private key"]
    assert "'key_file' (Key file) is meant" in fields["Extra"]


def test_S9_extra_without_a_meaning_is_named_too(org: SimulatedOrg) -> None:
    assert read(org, {"team": "crm"}).unread == ("'team' is not read",)
    assert read(org).unread == ()


# -- S10: a chain of certificates ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (1, 2, 0), (0, 2, 1)])
def test_S10_certificate_of_the_key_in_a_chain(org: SimulatedOrg, pair: KeyPair, order: tuple[int, ...]) -> None:
    broken = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    certificates = (org.certificate, pair.certificate, broken)
    chain = "".join(certificates[each] for each in order)
    found = {each.name: each for each in findings(org, {"certificate": chain})}["certificate"]
    assert found.mark == "ok"
    assert read_certificate(org.certificate).fingerprint in found.detail


def test_S10_chain_without_the_keys_certificate(org: SimulatedOrg, pair: KeyPair) -> None:
    other = make_key_pair()
    found = findings(org, {"certificate": pair.certificate + other.certificate})[-1]
    assert (found.name, found.mark) == ("certificate", "failed")
    assert "belongs to another key" in found.detail


# -- U8: what the Test button says ----------------------------------------------------------------------------------------


def test_U8_the_button_names_no_drawn_id(monkeypatch: pytest.MonkeyPatch) -> None:
    passed, sentence = hook_for(monkeypatch, '{"conn_type": "salesforce_jwt"}', "drawn_id_x7").test_connection()
    assert not passed
    assert "drawn_id_x7" not in sentence
    assert "Username: is missing" in sentence


def test_U8_the_form_says_what_to_enter() -> None:
    from airflow_provider_sfjwt.get_provider_info import get_provider_info

    (form,) = get_provider_info()["connection-types"]
    assert form["ui-field-behaviour"]["relabeling"]["port"] == "Port (enter 443)"
    assert "Key or key-store passphrase" in form["conn-fields"]["key_passphrase"]["description"]


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("hook.md", "`introspect()`"), ("hook.md", "`revoke()`"), ("keygen.md", "--new-conn-id"), ("errors.md", "RowFaultsError"),
        ("connection.md", "hook.introspect()"), ("salesforce_setup.md", "API Integration"), ("salesforce_setup.md", "DPoP"),
    ],
)  # fmt: skip
def test_U11_what_can_be_used_is_documented(page: str, said: str) -> None:
    assert said in (DOCS / page).read_text(encoding="utf-8")
