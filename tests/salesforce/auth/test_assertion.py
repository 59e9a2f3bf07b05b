"""What the assertion claims, as whoever holds the certificate reads it."""

from __future__ import annotations

import jwt
from cryptography.x509 import load_pem_x509_certificate

from airflow_provider_sfjwt.salesforce.auth.assertion import sign_assertion
from airflow_provider_sfjwt.salesforce.auth.credentials import read_connection
from airflow_provider_sfjwt.testing.oauth.certificates import certificate_for, shared_private_key

KEY = shared_private_key()
NOW = 1_790_000_000.75


def test_an_assertion_claims_app_user_audience_and_three_minutes() -> None:
    extra = {"consumer_key": "3MVG9abc", "private_key": KEY}
    host = "https://acme.my.site.com/customers"
    settings = read_connection(login="user@acme.com", password=None, host=host, port=None, extra=extra)
    (key,) = settings.credentials.keys
    assertion = sign_assertion(settings.credentials, key, now=NOW)

    assert jwt.get_unverified_header(assertion) == {"alg": "RS256", "typ": "JWT"}
    public_key = load_pem_x509_certificate(certificate_for(KEY).encode()).public_key()
    claims = jwt.decode(
        assertion,
        public_key,  # type: ignore[arg-type]
        algorithms=["RS256"],
        audience=host,
        options={"verify_exp": False},
    )
    assert claims == {"iss": "3MVG9abc", "sub": "user@acme.com", "aud": host, "exp": 1_790_000_180}
    assert type(claims["exp"]) is int
