"""The token endpoint refuses what Salesforce refuses, in its words."""

from __future__ import annotations

import base64
import time
from email.utils import parsedate_to_datetime

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from airflow_provider_sfjwt.testing import SimulatedOrg
from airflow_provider_sfjwt.testing.oauth.certificates import certificate_for, private_pem

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def other_key() -> str:
    return private_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))


def refused(answer: requests.Response) -> tuple[str, str]:
    assert answer.status_code == 400, answer.text
    return answer.json()["error"], answer.json()["error_description"]


def test_success_has_the_fields_of_the_flow_and_no_refresh_token(org, claims, exchange):
    answer = exchange(claims)
    assert answer.status_code == 200
    content = answer.json()
    assert set(content) == {"access_token", "scope", "instance_url", "id", "token_type"}
    assert content["instance_url"] == org.url
    assert content["access_token"].startswith(org.org_id[:15] + "!")
    assert content["id"].split("/")[-2:] == [org.org_id, org.user_id]
    assert len(org.org_id) == len(org.user_id) == 18
    assert (org.logins, org.login_history, org.api_calls) == (1, ["success"], 0)


def test_repeated_exchanges_return_the_same_token_until_it_dies(org, claims, exchange):
    first, second = (exchange(claims).json()["access_token"] for _ in range(2))
    assert first == second
    org.expire_sessions()
    assert exchange(claims).json()["access_token"] != first


@pytest.mark.parametrize(
    "expiry",
    # The time is asked when the test runs: the suite takes longer than such an assertion lives.
    [
        lambda now: now * 1000 + 300,
        lambda now: "99999999999",
        lambda now: int(now) + 10**9,
        lambda now: str(int(now) + 60),
    ],
    ids=["milliseconds", "text", "far", "numeric text"],
)
def test_far_and_textual_expiries_are_taken(claims, exchange, expiry):
    assert exchange(claims | {"exp": expiry(time.time())}).status_code == 200


@pytest.mark.parametrize("expiry", [1, int(time.time()) - 60, "1000000000"], ids=["long ago", "a minute ago", "text"])
def test_past_expiry(claims, exchange, expiry):
    assert refused(exchange(claims | {"exp": expiry})) == ("invalid_grant", "expired authorization code")


def test_the_orgs_clock_decides(org, claims, exchange):
    org.clock_offset = 600
    assert refused(exchange(claims)) == ("invalid_grant", "expired authorization code")


def test_date_header_follows_the_orgs_clock(org):
    org.clock_offset = 86_400
    at = parsedate_to_datetime(requests.get(f"{org.url}/services/data", timeout=30).headers["Date"]).timestamp()
    assert at > time.time() + 86_000


@pytest.mark.parametrize(
    "audience",
    ["https://login.salesforce.com/", "https://test.salesforce.com", "http://login.salesforce.com", "x", ["a"]],
)
def test_wrong_audience(claims, exchange, audience):
    assert refused(exchange(claims | {"aud": audience})) == ("invalid_grant", "audience is invalid")


def test_own_and_site_audiences(org, claims, exchange):
    for audience in (org.url, org.url.replace("127.0.0.1", "localhost"), f"{org.url}/customers"):
        assert exchange(claims | {"aud": audience}).status_code == 200
    answer = exchange(claims | {"aud": f"{org.url}/customers"}, path="/customers")
    assert answer.json()["sfdc_community_url"] == f"{org.url}/customers"
    assert answer.json()["instance_url"] == org.url
    assert exchange(claims, path="/nowhere").status_code == 404


def test_sandbox_expects_the_test_audience(claims):
    with SimulatedOrg(sandbox=True, records={}) as sandbox:
        statuses = []
        for audience in ("https://login.salesforce.com", "https://test.salesforce.com"):
            said = claims | {"iss": sandbox.consumer_key, "aud": audience}
            assertion = jwt.encode(said, sandbox.private_key, algorithm="RS256")
            form = {"grant_type": GRANT, "assertion": assertion}
            statuses.append(requests.post(f"{sandbox.url}/services/oauth2/token", data=form, timeout=30).status_code)
    assert statuses == [400, 200]


def test_unknown_client(claims, exchange):
    assert refused(exchange(claims | {"iss": "3MVG9nobody"})) == ("invalid_client_id", "client identifier invalid")


def test_wrong_signature_and_certificate_exchange(org, claims, exchange):
    new = other_key()
    assert refused(exchange(claims, new)) == ("invalid_grant", "invalid assertion")
    org.register_certificate(certificate_for(new))
    assert exchange(claims, new).status_code == 200
    assert refused(exchange(claims)) == ("invalid_grant", "invalid assertion")


@pytest.mark.parametrize("missing", ["aud", "sub", "exp"])
def test_missing_claim(claims, exchange, missing):
    del claims[missing]
    assert refused(exchange(claims)) == ("invalid_grant", "invalid assertion")


def test_other_algorithms(org, claims, exchange):
    assert refused(exchange(claims, algorithm="RS512")) == ("invalid_grant", "invalid assertion")
    curve = private_pem(ec.generate_private_key(ec.SECP256R1()))
    assert refused(exchange(claims, curve, algorithm="ES256")) == ("invalid_grant", "invalid assertion")
    none = jwt.encode(claims, None, algorithm="none")
    form = {"grant_type": GRANT, "assertion": none}
    answer = requests.post(f"{org.url}/services/oauth2/token", data=form, timeout=30)
    assert refused(answer) == ("invalid_grant", "invalid assertion")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": GRANT}, "invalid_request"),
        ({"grant_type": GRANT, "assertion": "-----BEGIN PRIVATE KEY-----"}, "invalid_grant"),
        ({"grant_type": GRANT, "assertion": "a.b.c"}, "invalid_grant"),
        ({"grant_type": GRANT, "assertion": "W10.W10.W10"}, "invalid_grant"),
    ],
)
def test_malformed_requests(org, form, error):
    assert refused(requests.post(f"{org.url}/services/oauth2/token", data=form, timeout=30))[0] == error


def test_json_is_no_form(org, claims):
    form = {"grant_type": GRANT, "assertion": jwt.encode(claims, org.private_key, algorithm="RS256")}
    answer = requests.post(f"{org.url}/services/oauth2/token", json=form, timeout=30)
    assert refused(answer) == ("unsupported_grant_type", "grant type not supported")


def test_wrong_secret_sent_along(org, claims):
    form = {"grant_type": GRANT, "assertion": jwt.encode(claims, org.private_key, algorithm="RS256")}
    form["client_secret"] = "wrong"
    answer = requests.post(f"{org.url}/services/oauth2/token", data=form, timeout=30)
    assert refused(answer) == ("invalid_client", "invalid client credentials")


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({"user_approved": False}, ("invalid_app_access", "user is not admin approved to access this app")),
        (
            {"user_approved": False, "permitted_users": "self"},
            ("invalid_grant", "user hasn't approved this consumer"),
        ),
        ({"user_active": False}, ("inactive_user", "user is inactive")),
        ({"ip_restricted": True}, ("invalid_grant", "ip restricted")),
        ({"org_locked": True}, ("inactive_org", "the user's org is locked, closed, or suspended")),
        ({"app_installed": False}, ("invalid_client", "External client app is not installed in this org")),
        ({"login_rate": 0}, ("invalid_grant", "login rate exceeded")),
    ],
)
def test_policies(org, claims, exchange, switches, expected):
    for name, value in switches.items():
        setattr(org, name, value)
    answer = exchange(claims)
    assert refused(answer) == expected
    assert answer.headers["Cache-Control"] == "no-cache,must-revalidate,max-age=0,no-store,private"
    assert org.login_history == [": ".join(expected)]
    assert org.logins == 0


def test_approve(org, claims, exchange):
    org.approve(False)
    assert exchange(claims).status_code == 400
    org.approve()
    assert exchange(claims).status_code == 200


def test_unknown_user(claims, exchange):
    answer = exchange(claims | {"sub": "nobody@example.com"})
    assert refused(answer) == ("invalid_grant", "user hasn't approved this consumer")


def test_login_rate_counts_within_an_hour(org, claims, exchange):
    org.login_rate = 2
    assert [exchange(claims | {"exp": 10**12}).status_code for _ in range(3)] == [200, 200, 400]
    org.clock_offset = 3601
    assert exchange(claims | {"exp": 10**12 * 3}).status_code == 200


def test_session_dies_unused_and_lives_used(org, api):
    org.session_seconds = 100
    org.clock_offset = 90
    assert api.get("limits").status_code == 200
    org.clock_offset = 180
    assert api.get("limits").status_code == 200
    org.clock_offset = 281
    assert api.get("limits").status_code == 401


def test_jwt_access_tokens(claims):
    with SimulatedOrg(jwt_access_tokens=True, records={}) as org:
        form = {
            "grant_type": GRANT,
            "assertion": jwt.encode(claims | {"iss": org.consumer_key}, org.private_key, algorithm="RS256"),
        }
        content = requests.post(f"{org.url}/services/oauth2/token", data=form, timeout=30).json()
        headers = {"Authorization": f"Bearer {content['access_token']}"}
        answer = requests.get(f"{org.url}/services/data/v66.0/limits", headers=headers, timeout=30)
    assert content["token_format"] == "jwt"
    assert jwt.get_unverified_header(content["access_token"])["alg"] == "RS256"
    assert answer.status_code == 200


def test_revoke_kills_the_token_for_everybody(org, api):
    token = org.issue_session()
    assert requests.post(f"{org.url}/services/oauth2/revoke", data={"token": token}, timeout=30).status_code == 200
    assert api.get("limits").status_code == 401
    again = requests.post(f"{org.url}/services/oauth2/revoke", data={"token": token}, timeout=30)
    assert again.status_code == 400


def test_introspect(org):
    url = f"{org.url}/services/oauth2/introspect"
    token = org.issue_session()
    credentials = (org.consumer_key, org.consumer_secret)
    assert requests.post(url, data={"token": token}, timeout=30).status_code == 401
    alive = requests.post(url, data={"token": token}, auth=credentials, timeout=30).json()
    assert alive["active"] and alive["username"] == org.username and alive["exp"] > time.time()
    assert requests.post(url, data={"token": "x"}, auth=credentials, timeout=30).json() == {"active": False}
    form = {"token": token, "client_id": credentials[0], "client_secret": credentials[1]}
    assert requests.post(url, data=form, timeout=30).json()["active"]


def test_userinfo_and_identity(org, claims, exchange):
    content = exchange(claims).json()
    headers = {"Authorization": f"Bearer {content['access_token']}"}
    info = requests.get(f"{org.url}/services/oauth2/userinfo", headers=headers, timeout=30).json()
    assert (info["user_id"], info["organization_id"]) == (org.user_id, org.org_id)
    assert requests.get(content["id"], headers=headers, timeout=30).json()["username"] == org.username
    refusal = requests.get(f"{org.url}/services/oauth2/userinfo", headers={"Authorization": "Bearer x"}, timeout=30)
    assert (refusal.status_code, refusal.text) == (403, "Bad_OAuth_Token")


def test_secrets_are_not_in_the_log(org, claims, exchange):
    exchange(claims)
    logged = org.requests[-1]
    assert (logged.method, logged.path, logged.query, logged.status) == ("POST", "/services/oauth2/token", "", 200)
    assert "assertion" not in repr(logged)


def test_basic_header_that_is_no_base64(org):
    headers = {"Authorization": "Basic " + base64.b64encode(b"\xff").decode()}
    url = f"{org.url}/services/oauth2/introspect"
    assert requests.post(url, data={"token": "x"}, headers=headers, timeout=30).status_code == 401
