"""Every refusal that Salesforce is known for has a remedy that names a setting or a page of Setup."""

from __future__ import annotations

import re

import pytest

from airflow_provider_sfjwt.salesforce.auth.credentials import LABELS, Credentials, read_connection
from airflow_provider_sfjwt.salesforce.auth.diagnosis import CAUSES, refusal
from airflow_provider_sfjwt.testing.oauth.certificates import shared_private_key

#: Which word of the hint shows that the right cause was found, by what Salesforce answers.
REFUSALS = {
    ("invalid_grant", "user hasn't approved this consumer"): "Permitted Users",
    ("invalid_app_access", "user is not admin approved to access this app"): "API Access Control",
    ("invalid_grant", "audience is invalid"): "Set Audience",
    ("invalid_grant", "Audience validation failed"): "Set Audience",
    ("invalid_grant", "invalid assertion"): "upload the certificate",
    ("invalid_grant", "expired authorization code"): "clock",
    ("invalid_client_id", "client identifier invalid"): "copy the Consumer Key",
    ("invalid_client", "invalid client credentials"): "JWT Bearer Flow is enabled",
    ("unsupported_grant_type", "grant type not supported"): "lightning.force.com",
    ("invalid_request", "missing required parameter: assertion"): "Proxy",
    ("invalid_request", "refresh_token scope is required"): "offline_access",
    ("invalid_grant", "External client app is not installed in this org"): "does not have this",
    ("invalid_grant", "ip restricted"): "Login IP Ranges",
    ("invalid_grant", "login rate exceeded"): "retry_delay",
    ("rate_limit_exceeded", "too many logins"): "retry_delay",
    ("inactive_user", "user is inactive"): "Unfreeze",
    ("inactive_org", "organization is inactive"): "Salesforce Support",
    ("invalid_grant", "authentication failure"): "API Enabled",
    ("something_new", "never heard of"): "Login History",
}
RETRYABLE = {"login rate exceeded", "too many logins", "External client app is not installed in this org"}


@pytest.fixture(scope="module")
def credentials() -> Credentials:
    extra = {"consumer_key": "3MVG9abc", "private_key": shared_private_key(), "consumer_secret": "s3cr3t-of-app"}
    settings = read_connection(login="user@acme.com", password=None, host="acme.my.example.com", port=None, extra=extra)
    return settings.credentials


@pytest.mark.parametrize(("code", "description"), REFUSALS)
def test_a_refusal_names_what_to_change(code: str, description: str, credentials: Credentials) -> None:
    error = refusal(code, description, credentials)
    hint = error.hint
    assert REFUSALS[code, description] in f"{error.cause}. {hint}"
    beyond_salesforce = ("NTP", "retry_delay", "Salesforce Support")
    assert "Setup → " in hint or any(place in hint for place in (*LABELS.values(), *beyond_salesforce))
    assert error.retryable is (description in RETRYABLE)
    assert not re.search(r"[{}]", str(error))
    assert error.cause
    assert not error.cause.endswith(".")


@pytest.mark.parametrize("known", [False, True])
def test_a_status_that_passes_makes_a_refusal_retryable(known: bool, credentials: Credentials) -> None:
    description = "audience is invalid" if known else "never heard of"
    error = refusal("something_new", description, credentials, retryable=True)
    assert error.retryable
    assert ("status.salesforce.com" in error.hint) is not known


def test_wording_is_matched_whatever_its_case(credentials: Credentials) -> None:
    shouted = refusal("INVALID_GRANT", "Audience Is Invalid", credentials)
    assert shouted.hint == refusal("invalid_grant", "audience is invalid", credentials).hint


def test_every_cause_is_the_first_for_one_of_its_marks(credentials: Credentials) -> None:
    for cause in CAUSES:
        hints = {refusal(mark, "", credentials).hint for mark in cause.marks}
        assert len(hints) == 1, f"an earlier cause takes one of {cause.marks}"
    assert len({refusal(cause.marks[0], "", credentials).hint for cause in CAUSES}) == len(CAUSES)


def test_a_mismatch_of_key_and_certificate_names_the_keys_fingerprint(credentials: Credentials) -> None:
    assert credentials.keys[0].fingerprint in refusal("invalid_grant", "invalid assertion", credentials).hint


def test_a_hint_holds_no_secret(credentials: Credentials) -> None:
    hints = [str(vars(refusal(*said, credentials))) for said in REFUSALS]
    for secret in ("s3cr3t-of-app", *shared_private_key().splitlines()[1:-1]):
        assert secret not in str(hints)
