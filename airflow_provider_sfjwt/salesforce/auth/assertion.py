"""The assertion: a JSON Web Token that names the app and the user, signed with the private key.

https://datatracker.ietf.org/doc/html/rfc7523#section-3
https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_jwt_flow.htm
"""

from __future__ import annotations

from airflow_provider_sfjwt.salesforce.auth.credentials import Credentials
from airflow_provider_sfjwt.salesforce.auth.keys import SigningKey

#: Salesforce's help asks for an expiry within three minutes. It is the clock skew that can be borne, too.
LIFETIME = 180


def sign_assertion(credentials: Credentials, key: SigningKey, *, now: float) -> str:
    """Sign an assertion.

    No ``jti`` is sent: it is optional, and Salesforce checks one that is sent against those it saw before.

    :param credentials: who signs in.
    :param key: what to sign with.
    :param now: seconds since the epoch.
    :return: the assertion in compact form. It is a secret for the three minutes that it lives.
    """
    import jwt

    claims = {
        "iss": credentials.consumer_key,
        "sub": credentials.username,
        "aud": credentials.audience,
        "exp": int(now) + LIFETIME,
    }
    # RS256 is the only algorithm that Salesforce documents for this flow.
    return jwt.encode(claims, key.private_key, algorithm="RS256")
